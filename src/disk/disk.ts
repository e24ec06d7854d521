// A server's own disk, as much of it as swarmdisk needs. The real one is node:fs; the simulated one
// loses, on a crash, any subset of what was not synced. Paths are relative to the data directory,
// separated by '/'; '' is the data directory itself. All failures are SwarmdiskError with code
// 'disk-full' or 'disk-error'.

export interface Disk {
  /**
   * Opens for reading and writing; 'create' makes an empty file, 'existing' gives null if there is
   * none.
   */
  open(path: string, how: 'create' | 'existing'): Promise<DiskFile | null>
  /** Names in a folder, sorted; empty if the folder does not exist. */
  list(folder: string): Promise<readonly string[]>
  /** Makes the folder and those above it. */
  makeFolder(folder: string): Promise<void>
  rename(from: string, to: string): Promise<void>
  /** Another name for a file, whose content is the same from then on; there is no such name yet. */
  link(from: string, to: string): Promise<void>
  /** A file or an empty folder. No error if there is none. */
  remove(path: string): Promise<void>
  /** Makes names created, linked, renamed or removed in this folder durable. */
  syncFolder(folder: string): Promise<void>
  space(): Promise<{ readonly total: number; readonly free: number }>
}

export interface FileLinks {
  /** No two files that exist at the same time have the same. */
  readonly inode: number
  /** How many names it has. */
  readonly names: number
}

/** Reads and writes of one file that overlap must not be in flight at the same time. */
export interface DiskFile {
  /** Fills `into` from `position`; returns the bytes read, fewer only at the end of the file. */
  read(into: Uint8Array, position: number): Promise<number>
  /** As read(), in this turn, where that beats a promise; null: read() has to do it. */
  readNow(into: Uint8Array, position: number): number | null
  write(data: Uint8Array, position: number): Promise<void>
  /**
   * As write(), in this turn, where that beats a promise; false: nothing was done, and write() has
   * to do it. It throws what write() rejects with.
   */
  writeNow(data: Uint8Array, position: number): boolean
  /** Makes everything written before the call durable. */
  sync(): Promise<void>
  size(): Promise<number>
  /** Bytes of disk taken: holes take none. */
  allocated(): Promise<number>
  /** Which file it is, under whatever name it was opened. */
  links(): Promise<FileLinks>
  truncate(size: number): Promise<void>
  /**
   * Gives the space of a range back, which reads as zeroes from then on; whole multiples of 4096
   * bytes. It need not survive a crash. False: this disk, or this host, cannot.
   */
  punch(position: number, length: number): Promise<boolean>
  close(): Promise<void>
}
