// What swarmdisk uses of fuse-native 2.2.6, as its code (not its README) behaves.
declare module 'fuse-native' {
  /** Negative errno, 0, or for read and write the number of bytes. */
  type Answer = (result: number) => void

  export interface FuseStat {
    readonly mode: number
    readonly uid: number
    readonly gid: number
    readonly size: number
    readonly nlink: number
    readonly blksize: number
    /** In units of 512 bytes. */
    readonly blocks: number
    /** Milliseconds since 1970. */
    readonly atime: number
    readonly mtime: number
    readonly ctime: number
  }

  export interface FuseStatfs {
    readonly bsize: number
    readonly frsize: number
    readonly blocks: number
    readonly bfree: number
    readonly bavail: number
    readonly files: number
    readonly ffree: number
    readonly favail: number
    readonly namemax: number
  }

  type Attributes = (result: number, stat?: FuseStat) => void

  export interface FuseHandlers {
    getattr(path: string, answer: Attributes): void
    fgetattr(path: string, handle: number, answer: Attributes): void
    readdir(path: string, answer: (result: number, names?: readonly string[]) => void): void
    statfs(path: string, answer: (result: number, statfs?: FuseStatfs) => void): void
    open(path: string, flags: number, answer: (result: number, handle?: number) => void): void
    /** `buffer` is libfuse's memory: gone once answered. */
    read: (
      path: string,
      handle: number,
      buffer: Buffer,
      length: number,
      offset: number,
      answer: Answer,
    ) => void
    write: FuseHandlers['read']
    fsync(path: string, dataOnly: number, handle: number, answer: Answer): void
    fsyncdir(path: string, dataOnly: number, handle: number, answer: Answer): void
    flush(path: string, handle: number, answer: Answer): void
    release(path: string, handle: number, answer: Answer): void
    truncate(path: string, size: number, answer: Answer): void
    ftruncate(path: string, handle: number, size: number, answer: Answer): void
    readonly [refused: string]: (...args: never[]) => void
  }

  type Done = (error?: Error | null) => void

  export default class Fuse {
    constructor(mountPoint: string, handlers: FuseHandlers, options: { readonly timeout: false })
    /** Called at close(); fuse-native's own is always lazy. */
    static unmount: (mountPoint: string, done: Done) => void
    /** Milliseconds after which fuse-native answers in our place; 0 means never. */
    readonly timeout: number
    open(done: Done): void
    close(done: Done): void
    /** One command line argument: '-o' and the options, joined by commas. */
    protected _fuseOptions(): string
  }
}
