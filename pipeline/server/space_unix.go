//go:build linux || darwin || freebsd

package server

import "golang.org/x/sys/unix"

// free returns how many bytes can be written to the file system of dir; false where that is not known.
func free(dir string) (uint64, bool) {
	var of unix.Statfs_t
	if err := unix.Statfs(dir, &of); err != nil {
		return 0, false
	}
	return uint64(max(of.Bavail, 0)) * uint64(of.Bsize), true
}
