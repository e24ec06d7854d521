// A disk in memory that forgets: a crash keeps, of everything not synced, any subset (for every
// 4096-byte block any of its versions, any of the sizes, any of the changes to names). Time passes
// by the clock. `choices` and `survivor` let a test replay every allowed subset at any moment.
//
// A process holds one SimulatedDisk. `crash()` and `restart()` give the disk of the next process;
// from then on nothing that the old one has in flight ever ends, as if the process were gone.
import { assert } from '../../src/base/assert.js'
import { wait, type Clock } from '../../src/base/clock.js'
import { SwarmdiskError } from '../../src/base/errors.js'
import type { Random } from '../../src/base/random.js'
import type { Disk, DiskFile } from '../../src/disk/disk.js'
import { SimulatedInode } from './simulated-inode.js'
import { SimulatedNames, type Node } from './simulated-names.js'

export interface SimulatedDiskOptions {
  readonly clock: Clock
  readonly random: Random
  /** Bytes; by default a terabyte. */
  readonly capacity?: number
  /** Milliseconds, each time between once and twice as much; by default those of a fast disk. */
  readonly latency?: Latency
}

export interface Latency {
  readonly read: number
  readonly write: number
  readonly sync: number
}

export interface Choice {
  readonly what: string
  readonly options: number
}

type Operation =
  | 'open'
  | 'read'
  | 'write'
  | 'sync'
  | 'truncate'
  | 'punch'
  | 'rename'
  | 'link'
  | 'remove'
  | 'folder'

export const NO_LATENCY: Latency = { read: 0, write: 0, sync: 0 }
export const FAST_DISK: Latency = { read: 0.1, write: 0.02, sync: 1.5 }
/** Where syncs take long, more is written and acknowledged while one is under way. */
export const DISKS: readonly Latency[] = [
  FAST_DISK,
  FAST_DISK,
  { read: 0.1, write: 0.02, sync: 5 },
  { read: 0.3, write: 0.05, sync: 15 },
]
/** A new one each time: a shared one would keep all who ever waited for it in memory. */
const never = (): Promise<never> => new Promise(() => undefined)

export class SimulatedDisk implements Disk {
  readonly #options: SimulatedDiskOptions
  #names: SimulatedNames
  #count = 1
  #inodes = 0
  #alive = true
  #capacity: number
  #latency: Latency
  /** False: a disk without holes. */
  holes = true
  /** Called after every change; for tests that look at each moment. */
  observe: ((operation: Operation, path: string) => void) | null = null
  /** Gives the error with which an operation fails before it does anything. */
  fail: ((operation: Operation, path: string) => SwarmdiskError | null) | null = null

  constructor(options: SimulatedDiskOptions) {
    this.#options = options
    this.#capacity = options.capacity ?? 2 ** 40
    this.#latency = options.latency ?? FAST_DISK
    this.#names = new SimulatedNames()
  }

  // ---- what tests do to it ---------------------------------------------------------------------

  /** The machine loses its power: a random one of all allowed outcomes. */
  crash(): SimulatedDisk {
    const pick = this.choices().map(choice => this.#options.random.below(choice.options))
    const next = this.survivor(pick)
    this.#alive = false
    return next
  }

  /** The process dies alone: everything written is still there, synced or not. */
  restart(): SimulatedDisk {
    const next = this.#successor()
    next.#names = this.#names
    for (const [, inode] of this.#names.inodes()) inode.forgetOperations()
    this.#alive = false
    return next
  }

  /**
   * Everything undecided, with the number of versions; 0 is the durable one, the last is the
   * newest.
   */
  choices(): readonly Choice[] {
    const list: Choice[] = [...this.#names.choices()]
    for (const [path, inode] of this.#names.inodes()) {
      for (const { what, options } of inode.choices()) {
        list.push({ what: `${path} ${what}`, options })
      }
    }
    return list
  }

  /** The disk after a crash in which these versions survived; this one lives on. */
  survivor(pick: readonly number[], options = this.#options): SimulatedDisk {
    const next = this.#successor(options)
    let used = this.#names.choices().length
    const inodes = new Map<SimulatedInode, SimulatedInode>()
    for (const [, inode] of this.#names.inodes()) {
      const count = inode.choices().length
      inodes.set(inode, inode.survivor(pick.slice(used, used + count)))
      used += count
    }
    assert(used === pick.length, 'one answer for every choice')
    next.#names = this.#names.survivor(pick, inodes)
    return next
  }

  bitFlip(path: string, offset: number): void {
    this.#inode(path).bitFlip(offset)
  }

  /** Whether something is stored there that bitFlip() can damage. */
  hasData(path: string, offset: number): boolean {
    const node = this.#names.find(path)
    return node !== undefined && node !== 'folder' && node.hasData(offset)
  }

  used(): number {
    return this.#capacity - this.#free()
  }

  /** From now on: for tests that fill and extend a disk. */
  setCapacity(bytes: number): void {
    this.#capacity = bytes
  }

  /** From now on: null is as it was made. Operations under way keep their time. */
  setLatency(latency: Latency | null): void {
    this.#latency = latency ?? this.#options.latency ?? FAST_DISK
  }

  // ---- Disk ------------------------------------------------------------------------------------

  async open(path: string, how: 'create' | 'existing'): Promise<DiskFile | null> {
    if (!this.#enter('open', path)) return never()
    const node = this.#names.find(path)
    if (node === 'folder') throw diskError(`cannot open ${path}: it is a folder`)
    if (node) return this.#file(path, node)
    if (how === 'existing') return null
    if (!this.#names.hasParent(path)) throw diskError(`cannot create ${path}: no such folder`)
    const inode = new SimulatedInode(++this.#inodes)
    this.#names.link(path, inode)
    this.observe?.('open', path)
    return this.#file(path, inode)
  }

  async list(folder: string): Promise<readonly string[]> {
    if (!this.#enter('folder', folder)) return never()
    return this.#names.list(folder)
  }

  async makeFolder(folder: string): Promise<void> {
    if (!this.#enter('folder', folder)) return never()
    const parts = folder === '' ? [] : folder.split('/')
    for (let i = 1; i <= parts.length; i++) {
      const path = parts.slice(0, i).join('/')
      if (!this.#names.find(path)) this.#names.link(path, 'folder')
    }
    this.observe?.('folder', folder)
  }

  async rename(from: string, to: string): Promise<void> {
    if (!this.#enter('rename', from)) return never()
    if (!this.#names.find(from)) throw diskError(`cannot rename ${from}: no such file`)
    if (!this.#names.hasParent(to)) throw diskError(`cannot rename to ${to}: no such folder`)
    this.#names.rename(from, to)
    this.observe?.('rename', from)
  }

  async link(from: string, to: string): Promise<void> {
    if (!this.#enter('link', from)) return never()
    const node = this.#names.find(from)
    if (!node || node === 'folder') throw diskError(`cannot link ${from}: no such file`)
    if (this.#names.find(to)) throw diskError(`cannot link to ${to}: it is there`)
    if (!this.#names.hasParent(to)) throw diskError(`cannot link to ${to}: no such folder`)
    node.linked = true
    this.#names.link(to, node)
    this.observe?.('link', to)
  }

  async remove(path: string): Promise<void> {
    if (!this.#enter('remove', path)) return never()
    if (!this.#names.find(path)) return
    if (this.#names.list(path).length > 0) throw diskError(`cannot remove ${path}: not empty`)
    this.#names.unlink(path)
    this.observe?.('remove', path)
  }

  async syncFolder(folder: string): Promise<void> {
    if (!this.#enter('sync', folder)) return never()
    if (folder !== '' && this.#names.find(folder) !== 'folder') {
      throw diskError(`cannot sync ${folder}: no such folder`)
    }
    const mark = this.#names.mark()
    await this.#pause('sync')
    this.#names.synced(folder, mark)
    this.observe?.('sync', folder)
  }

  space(): Promise<{ readonly total: number; readonly free: number }> {
    return this.#living({ total: this.#capacity, free: Math.max(0, this.#free()) })
  }

  // ---- files -----------------------------------------------------------------------------------

  #file(path: string, inode: SimulatedInode): DiskFile {
    let closed = false
    const enter = (operation: Operation): boolean => {
      assert(!closed, `${path} is closed`)
      return this.#enter(operation, path)
    }
    const write = (data: Uint8Array, position: number): (() => void) => {
      // Nothing of ours writes what others see under another name.
      assert(this.#names.namesOf(inode) <= 1, `${path} has several names and is written`)
      if (inode.growth(position, data.length) * 4096 > this.#free()) {
        throw new SwarmdiskError('disk-full', `cannot write ${path}: the disk is full`)
      }
      const leave = inode.enter({ from: position, to: position + data.length, write: true })
      inode.write(data, { position, at: this.#count++ })
      this.observe?.('write', path)
      return leave
    }
    return {
      read: async (into, position) => {
        if (!enter('read')) return never()
        const leave = inode.enter({ from: position, to: position + into.length, write: false })
        await this.#pause('read')
        leave()
        return inode.read(into, position)
      },
      readNow: (into, position) => {
        if (!this.#alive || this.#options.random.below(2) === 0) return null
        enter('read')
        inode.enter({ from: position, to: position + into.length, write: false })()
        return inode.read(into, position)
      },
      write: async (data, position) => {
        if (!enter('write')) return never()
        const leave = write(data, position)
        await this.#pause('write')
        leave()
      },
      writeNow: (data, position) => {
        if (!this.#alive || this.#options.random.below(2) === 0) return false
        enter('write')
        write(data, position)()
        return true
      },
      sync: async () => {
        if (!enter('sync')) return never()
        const until = this.#count++
        await this.#pause('sync')
        inode.synced(until)
        this.observe?.('sync', path)
      },
      size: () => this.#living(inode.size),
      allocated: () => this.#living(inode.allocated()),
      links: () => this.#living({ inode: inode.id, names: this.#names.namesOf(inode) }),
      truncate: async size => {
        if (!enter('truncate')) return never()
        inode.truncate(size, this.#count++)
        this.observe?.('truncate', path)
      },
      punch: async (position, length) => {
        if (!enter('punch')) return never()
        if (!this.holes) return false
        const leave = inode.enter({ from: position, to: position + length, write: true })
        inode.punch({ position, length, at: this.#count++ })
        this.observe?.('punch', path)
        await this.#pause('write')
        leave()
        return true
      },
      close: () => {
        closed = true
        return this.#living(undefined)
      },
    }
  }

  #inode(path: string): SimulatedInode {
    const node: Node | undefined = this.#names.find(path)
    assert(node && node !== 'folder', `no file ${path}`)
    return node
  }

  #free(): number {
    let used = 0
    for (const [, inode] of this.#names.inodes()) used += inode.allocated()
    return this.#capacity - used
  }

  #successor(options = this.#options): SimulatedDisk {
    const next = new SimulatedDisk(options)
    next.#count = this.#count
    next.#inodes = this.#inodes
    next.#capacity = this.#capacity
    return next
  }

  #living<T>(value: T): Promise<T> {
    return this.#alive ? Promise.resolve(value) : never()
  }

  /** False: the process is gone, and nothing of it happens any more. In the turn of the call. */
  #enter(operation: Operation, path: string): boolean {
    if (!this.#alive) return false
    const error = this.fail?.(operation, path)
    if (error) throw error
    return true
  }

  async #pause(kind: keyof Latency): Promise<void> {
    const least = this.#latency[kind]
    if (least > 0) {
      const spread = 1 + this.#options.random.below(1000) / 1000
      await wait(this.#options.clock, least * spread)
    }
    if (!this.#alive) await never()
  }
}

function diskError(message: string): SwarmdiskError {
  return new SwarmdiskError('disk-error', message)
}
