// Numbers of the FUSE protocol (linux/fuse.h, version 7): operations, flags and sizes, as far as
// this mount speaks it. All fields are in the byte order of the host; only little-endian hosts are
// served.

export const MAJOR = 7
/** What we speak: max_pages (7.28) is the newest thing that we need. */
export const MINOR = 31
/** The first whose answer to INIT has 64 bytes. Linux 3.15. */
export const MINOR_MIN = 23

export const ROOT_NODE = 1

export const OPCODE = {
  lookup: 1,
  forget: 2,
  getattr: 3,
  setattr: 4,
  symlink: 6,
  mknod: 8,
  mkdir: 9,
  unlink: 10,
  rmdir: 11,
  rename: 12,
  link: 13,
  open: 14,
  read: 15,
  write: 16,
  statfs: 17,
  release: 18,
  fsync: 20,
  flush: 25,
  init: 26,
  opendir: 27,
  readdir: 28,
  releasedir: 29,
  fsyncdir: 30,
  create: 35,
  interrupt: 36,
  destroy: 38,
  batchForget: 42,
  fallocate: 43,
  rename2: 45,
} as const

/** Of the request: length, operation, unique, node, uid, gid, pid, extensions. */
export const REQUEST_HEADER_BYTES = 40
/** Of the answer: length, error, unique. */
export const ANSWER_HEADER_BYTES = 16
/** Before the data of a WRITE. */
export const WRITE_FIELDS_BYTES = 40

export const INIT_FLAG = {
  asyncRead: 1 << 0,
  bigWrites: 1 << 5,
  asyncDirectIo: 1 << 15,
  parallelDirectoryOperations: 1 << 18,
  /** Nothing here has a set-uid bit that a write would have to take away. */
  handleKillPrivileges: 1 << 19,
  maxPages: 1 << 22,
} as const

export const OPEN_FLAG = {
  directIo: 1 << 0,
  parallelDirectWrites: 1 << 6,
} as const

/** Which fields of a SETATTR count. */
export const SET = {
  mode: 1 << 0,
  uid: 1 << 1,
  gid: 1 << 2,
  size: 1 << 3,
  accessTime: 1 << 4,
  modificationTime: 1 << 5,
} as const

export const FALLOCATE = { keepSize: 1, punchHole: 2, zeroRange: 16 } as const

/** Of directory entries. */
export const ENTRY_TYPE = { directory: 4, file: 8 } as const
