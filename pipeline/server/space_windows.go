package server

import "golang.org/x/sys/windows"

// free returns how many bytes can be written to the file system of dir; false where that is not known.
func free(dir string) (bytes uint64, known bool) {
	name, err := windows.UTF16PtrFromString(dir)
	if err != nil {
		return 0, false
	}
	err = windows.GetDiskFreeSpaceEx(name, &bytes, nil, nil)
	return bytes, err == nil
}
