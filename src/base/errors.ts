// Operating errors: what goes wrong outside of swarmdisk's own code (a full disk, a busy port, a
// wrong key). Each has a stable code, which callers test for and which src/cli/exit-codes.ts maps
// to a documented exit code, and a message of one sentence that says what to do.

export const ERROR_CODES = [
  'bad-input', // a flag, name, size, address or key that cannot be right
  'wrong-cluster', // key or data directory of another cluster
  'data-directory', // of another role, unreadable, or from a newer release
  'in-use', // data directory, port, mount point or device used by somebody else
  'not-found', // volume, server, mount, device that does not exist
  'refused', // the cluster decided against it, and says why
  'unreachable', // no manager answered in time, or none leads: nothing was done
  'undecided', // the managers may or may not have done it
  'environment', // libfuse, /dev/fuse, root rights, a tool that is missing
  'disk-full',
  'disk-error',
  'io-timeout', // held longer than --io-timeout
  'aborted', // by unmount --abort or at shutdown
  'corrupt', // checksum mismatch with no good copy, or a file that is not what it says
  'data-lost', // acknowledged, unflushed writes went with the memory of all in-sync replicas
  'fenced', // another client has taken over the volume: nothing is written any more
  'incomplete', // a scrub found nothing wrong, and could not look at everything
  'protocol', // a peer sent what no swarmdisk of our version sends
] as const

export type ErrorCode = (typeof ERROR_CODES)[number]

export class SwarmdiskError extends Error {
  override readonly name = 'SwarmdiskError'
  readonly code: ErrorCode

  constructor(code: ErrorCode, message: string, options?: { readonly cause?: unknown }) {
    super(message, options)
    this.code = code
  }
}

export function isSwarmdiskError(error: unknown, code?: ErrorCode): error is SwarmdiskError {
  return error instanceof SwarmdiskError && (code === undefined || error.code === code)
}
