// Between the kernel and the file operations: one of the ways to serve a FUSE mount. Made for one
// mount and used once.

export interface UnmountOptions {
  /** Ends everything that waits and unmounts although somebody uses it. */
  readonly abort: boolean
}

export interface Transport {
  /** Resolves when the mount answers. Fails with 'environment', and then leaves nothing. */
  mount(): Promise<void>
  /** Resolves when the mount is gone, whoever unmounted it; never rejects. */
  readonly closed: Promise<void>
  /** Fails with 'in-use', naming the user, while the mount is used, and then goes on serving. */
  unmount(options: UnmountOptions): Promise<void>
}
