// The only file that knows errno numbers. Applications and file systems understand few of them:
// what goes wrong under an open file is EIO, or ENOSPC where space would help; what goes wrong
// with a name says so. FUSE wants them negative.
import { constants } from 'node:os'
import { SwarmdiskError, type ErrorCode } from '../base/errors.js'

const { errno } = constants

/** Requests that the mount itself refuses, without asking the cluster. */
export type RefusalReason =
  | 'no-such-file'
  | 'not-a-directory'
  | 'is-a-directory'
  | 'not-permitted'
  | 'read-only'
  | 'bad-handle'
  | 'beyond-end'
  | 'too-many-open'
  | 'unknown-operation'
  | 'unsupported'
  | 'malformed'
  | 'interrupted'
  | 'not-seen-yet'
  | 'wrong-version'

/** An outcome that the caller of a file operation gets as an errno. Not a fault of anything. */
export class FileRefusal extends Error {
  override readonly name = 'FileRefusal'
  readonly reason: RefusalReason

  constructor(reason: RefusalReason) {
    super(reason)
    this.reason = reason
  }
}

const ERRNO_OF_REFUSAL: Readonly<Record<RefusalReason, number>> = {
  'no-such-file': errno.ENOENT,
  'not-a-directory': errno.ENOTDIR,
  'is-a-directory': errno.EISDIR,
  'not-permitted': errno.EPERM,
  'read-only': errno.EROFS,
  'bad-handle': errno.EBADF,
  'beyond-end': errno.ENOSPC, // as at the end of a block device
  'too-many-open': errno.ENFILE,
  'unknown-operation': errno.ENOSYS, // the kernel does without it, and does not ask again
  unsupported: errno.EOPNOTSUPP,
  malformed: errno.EINVAL,
  interrupted: errno.EINTR,
  'not-seen-yet': errno.EAGAIN, // of an interrupt: the kernel repeats it
  'wrong-version': errno.EPROTO,
}

/** Under an open file. A volume that was deleted meanwhile is an I/O error, no missing name. */
const ERRNO_OF_IO: Readonly<Partial<Record<ErrorCode, number>>> = {
  'disk-full': errno.ENOSPC,
}

/** With a name: opening and looking up. */
const ERRNO_OF_NAME: Readonly<Partial<Record<ErrorCode, number>>> = {
  'disk-full': errno.ENOSPC,
  'not-found': errno.ENOENT,
  'in-use': errno.EBUSY,
  refused: errno.EACCES,
  'bad-input': errno.EINVAL,
}

export type Subject = 'name' | 'open file'

/** The negative errno for a failure, or null for what is no operating error but a bug. */
export function errnoOf(error: unknown, subject: Subject): number | null {
  if (error instanceof FileRefusal) return errnoOfRefusal(error)
  if (!(error instanceof SwarmdiskError)) return null
  const table = subject === 'name' ? ERRNO_OF_NAME : ERRNO_OF_IO
  return -(table[error.code] ?? errno.EIO)
}

export function errnoOfRefusal(refusal: FileRefusal): number {
  return -ERRNO_OF_REFUSAL[refusal.reason]
}

/** What the caller sees of a bug, while the process that has it stops. */
export const ERRNO_OF_BUG = -errno.EIO
