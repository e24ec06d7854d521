// The real disk: node:fs below one root folder. Small writes go into the page cache synchronously
// (SYNCHRONOUS_WRITE_BYTES says why); small reads are made synchronously as long as the page cache
// has what they want (prompt-reads.ts). Descriptors are bounded: a file that was not used for long
// is closed behind the back of its user and opened again; what was written to it stays in the page
// cache, and an fdatasync through any descriptor of the file covers it. Data is private to the user
// who runs the server.
import fs from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { assert } from '../base/assert.js'
import { systemClock } from '../base/clock.js'
import { SwarmdiskError } from '../base/errors.js'
import { OPEN_FILES_MAX, PROMPT_READ_BYTES, SYNCHRONOUS_WRITE_BYTES } from '../base/limits.js'
import type { Disk, DiskFile, FileLinks } from './disk.js'
import { PromptReads } from './prompt-reads.js'
import { punchHole } from './punch-hole.js'

const read = promisify(fs.read)
const write = promisify(fs.write)
const fdatasync = promisify(fs.fdatasync)

export class NodeDisk implements Disk {
  readonly root: string
  readonly #descriptors: Descriptors
  readonly #prompt = new PromptReads()

  constructor(options: { readonly root: string; readonly openFiles?: number }) {
    this.root = options.root
    this.#descriptors = new Descriptors(options.openFiles ?? OPEN_FILES_MAX)
  }

  async open(path: string, how: 'create' | 'existing'): Promise<DiskFile | null> {
    const full = this.#full(path)
    return attempt(`open ${full}`, async () => {
      const flags = fs.constants.O_RDWR | (how === 'create' ? fs.constants.O_CREAT : 0)
      try {
        const handle = await fs.promises.open(full, flags, 0o600)
        await handle.close()
      } catch (error) {
        if (how === 'existing' && codeOf(error) === 'ENOENT') return null
        throw error
      }
      return new NodeFile(full, { descriptors: this.#descriptors, prompt: this.#prompt })
    })
  }

  list(folder: string): Promise<readonly string[]> {
    const full = this.#full(folder)
    return attempt(`list ${full}`, async () => {
      try {
        return (await fs.promises.readdir(full)).sort()
      } catch (error) {
        if (codeOf(error) === 'ENOENT') return []
        throw error
      }
    })
  }

  makeFolder(folder: string): Promise<void> {
    const full = this.#full(folder)
    return attempt(`make the folder ${full}`, async () => {
      await fs.promises.mkdir(full, { recursive: true, mode: 0o700 })
    })
  }

  rename(from: string, to: string): Promise<void> {
    const [old, next] = [this.#full(from), this.#full(to)]
    return attempt(`rename ${old} to ${next}`, async () => {
      await fs.promises.rename(old, next)
      this.#descriptors.renamed(old, next)
    })
  }

  link(from: string, to: string): Promise<void> {
    const [old, next] = [this.#full(from), this.#full(to)]
    return attempt(`link ${old} to ${next}`, () => fs.promises.link(old, next))
  }

  remove(path: string): Promise<void> {
    const full = this.#full(path)
    return attempt(`remove ${full}`, async () => {
      try {
        const found = await fs.promises.lstat(full)
        await (found.isDirectory() ? fs.promises.rmdir(full) : fs.promises.unlink(full))
      } catch (error) {
        if (codeOf(error) !== 'ENOENT') throw error
      }
    })
  }

  syncFolder(folder: string): Promise<void> {
    const full = this.#full(folder)
    return attempt(`sync the folder ${full}`, async () => {
      const handle = await fs.promises.open(full, 'r')
      try {
        await handle.sync()
      } finally {
        await handle.close()
      }
    })
  }

  space(): Promise<{ readonly total: number; readonly free: number }> {
    return attempt(`ask for the space of ${this.root}`, async () => {
      const found = await fs.promises.statfs(this.root)
      return { total: found.blocks * found.bsize, free: found.bavail * found.bsize }
    })
  }

  #full(path: string): string {
    const safe = !path.startsWith('/') && !path.split('/').includes('..')
    assert(safe, `not a path of the data directory: ${path}`)
    return join(this.root, path)
  }
}

class NodeFile implements DiskFile {
  path: string
  #closed = false
  readonly #descriptors: Descriptors
  readonly #prompt: PromptReads

  constructor(
    path: string,
    of: { readonly descriptors: Descriptors; readonly prompt: PromptReads },
  ) {
    this.path = path
    this.#descriptors = of.descriptors
    this.#prompt = of.prompt
    of.descriptors.add(this)
  }

  async read(into: Uint8Array, position: number): Promise<number> {
    const now = this.readNow(into, position)
    if (now !== null) return now
    return this.#use('read', async fd => {
      let done = 0
      while (done < into.length) {
        const { bytesRead } = await read(fd, into, done, into.length - done, position + done)
        if (bytesRead === 0) break
        done += bytesRead
      }
      return done
    })
  }

  readNow(into: Uint8Array, position: number): number | null {
    if (into.length > PROMPT_READ_BYTES || !this.#prompt.mayRead()) return null
    const began = systemClock.now()
    try {
      return this.#useNow('read', fd => {
        let done = 0
        while (done < into.length) {
          const bytes = fs.readSync(fd, into, done, into.length - done, position + done)
          if (bytes === 0) break
          done += bytes
        }
        return done
      })
    } finally {
      this.#prompt.took(systemClock.now() - began)
    }
  }

  async write(data: Uint8Array, position: number): Promise<void> {
    if (this.writeNow(data, position)) return
    await this.#use('write', async fd => {
      for (let done = 0; done < data.length;) {
        const left = data.length - done
        done += (await write(fd, data, done, left, position + done)).bytesWritten
      }
    })
  }

  writeNow(data: Uint8Array, position: number): boolean {
    if (data.length > SYNCHRONOUS_WRITE_BYTES) return false
    this.#useNow('write', fd => {
      for (let done = 0; done < data.length;) {
        done += fs.writeSync(fd, data, done, data.length - done, position + done)
      }
    })
    return true
  }

  sync(): Promise<void> {
    return this.#use('sync', fd => fdatasync(fd))
  }

  async size(): Promise<number> {
    return this.#use('size', fd => Promise.resolve(fs.fstatSync(fd).size))
  }

  allocated(): Promise<number> {
    return this.#use('size', fd => Promise.resolve(fs.fstatSync(fd).blocks * 512))
  }

  links(): Promise<FileLinks> {
    return this.#use('look at', fd => {
      const { ino: inode, nlink: names } = fs.fstatSync(fd)
      return Promise.resolve({ inode, names })
    })
  }

  truncate(size: number): Promise<void> {
    return this.#use('truncate', fd => {
      fs.ftruncateSync(fd, size)
      return Promise.resolve()
    })
  }

  punch(position: number, length: number): Promise<boolean> {
    return this.#use('punch a hole into', fd => punchHole(fd, { position, length }))
  }

  close(): Promise<void> {
    this.#closed = true
    return attempt(`close ${this.path}`, () => {
      this.#descriptors.forget(this)
      return Promise.resolve()
    })
  }

  #useNow<T>(what: string, action: (fd: number) => T): T {
    assert(!this.#closed, 'a file that is used is open')
    try {
      const fd = this.#descriptors.acquire(this)
      try {
        return action(fd)
      } finally {
        this.#descriptors.release(this)
      }
    } catch (error) {
      throw explained(error, `${what} ${this.path}`)
    }
  }

  #use<T>(what: string, action: (fd: number) => Promise<T>): Promise<T> {
    assert(!this.#closed, 'a file that is used is open')
    return attempt(`${what} ${this.path}`, async () => {
      const fd = this.#descriptors.acquire(this)
      try {
        return await action(fd)
      } finally {
        this.#descriptors.release(this)
      }
    })
  }
}

interface Slot {
  fd: number | null
  users: number
  closing: boolean
  /** Since somebody last looked for one to close. */
  used: boolean
}

/**
 * Which files have a descriptor. Where one has to be closed it is the oldest that nobody has used
 * since the last look (a clock, or second chance). Only descriptors with an operation in flight may
 * go beyond the limit, and those are limited by who calls us.
 */
class Descriptors {
  readonly #limit: number
  readonly #slots = new Map<NodeFile, Slot>()
  readonly #open = new Map<NodeFile, Slot>()

  constructor(limit: number) {
    this.#limit = limit
  }

  add(file: NodeFile): void {
    this.#slots.set(file, { fd: null, users: 0, closing: false, used: false })
  }

  acquire(file: NodeFile): number {
    const slot = this.#slots.get(file)
    assert(slot, 'a file that is used is open')
    if (slot.fd === null) {
      this.#makeRoom()
      slot.fd = fs.openSync(file.path, fs.constants.O_RDWR)
      this.#open.set(file, slot)
    }
    slot.used = true
    slot.users++
    return slot.fd
  }

  release(file: NodeFile): void {
    const slot = this.#slots.get(file)
    assert(slot && slot.users > 0, 'a descriptor is released once')
    slot.users--
    if (slot.closing && slot.users === 0) this.#drop(file, slot)
  }

  /** Closes the descriptor, at the latest when the operations in flight have ended. */
  forget(file: NodeFile): void {
    const slot = this.#slots.get(file)
    if (!slot) return
    slot.closing = true
    if (slot.users === 0) this.#drop(file, slot)
  }

  renamed(from: string, to: string): void {
    for (const file of this.#slots.keys()) {
      if (file.path === from) file.path = to
      else if (file.path.startsWith(`${from}/`)) {
        file.path = to + file.path.slice(from.length)
      }
    }
  }

  #drop(file: NodeFile, slot: Slot): void {
    this.#slots.delete(file)
    this.#open.delete(file)
    if (slot.fd !== null) fs.closeSync(slot.fd)
  }

  #makeRoom(): void {
    if (this.#open.size < this.#limit) return
    // Whoever is passed over goes to the end, so twice as many steps see each without a use.
    let steps = 2 * this.#open.size
    for (const [file, slot] of this.#open) {
      if (steps-- === 0) return
      this.#open.delete(file)
      if (slot.users === 0 && !slot.used && slot.fd !== null) {
        fs.closeSync(slot.fd)
        slot.fd = null
        return
      }
      slot.used = false
      this.#open.set(file, slot)
    }
  }
}

function codeOf(error: unknown): string | undefined {
  return (error as NodeJS.ErrnoException | undefined)?.code
}

async function attempt<T>(what: string, action: () => Promise<T>): Promise<T> {
  try {
    return await action()
  } catch (error) {
    throw explained(error, what)
  }
}

/** What the system says, in a sentence; anything else is no failure of the disk. */
function explained(error: unknown, what: string): unknown {
  const code = codeOf(error)
  if (typeof code !== 'string' || !/^E[A-Z]+$/.test(code)) return error
  if (code === 'ENOSPC' || code === 'EDQUOT') {
    const message = `cannot ${what}: the disk is full; free some space and try again`
    return new SwarmdiskError('disk-full', message, { cause: error })
  }
  const message = `cannot ${what}: ${code}; check the disk and the rights on the folder`
  return new SwarmdiskError('disk-error', message, { cause: error })
}
