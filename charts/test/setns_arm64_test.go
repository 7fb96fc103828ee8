package charttest

const sysSetns = 268 // setns(2)
