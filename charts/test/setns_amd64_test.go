package charttest

const sysSetns = 308 // setns(2)
