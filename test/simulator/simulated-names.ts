// The names of a simulated disk: what programs see, what is durable, and the changes in between.
// A crash keeps any subset of these changes, in their order; a change becomes durable when all the
// folders that it touches were synced.
import { assert } from '../../src/base/assert.js'
import type { SimulatedInode } from './simulated-inode.js'

export type Node = SimulatedInode | 'folder'
type Names = Map<string, Node>

type Change =
  | { readonly kind: 'link'; readonly path: string; readonly node: Node }
  | { readonly kind: 'unlink'; readonly path: string }
  /** The new name is of just this file, also where it is all that survives. */
  | { readonly kind: 'rename'; readonly from: string; readonly to: string; readonly node: Node }

interface Pending {
  readonly change: Change
  readonly at: number
  readonly unsynced: Set<string>
}

export class SimulatedNames {
  #current: Names = new Map()
  #durable: Names = new Map()
  #pending: Pending[] = []
  #count = 0

  find(path: string): Node | undefined {
    return path === '' ? 'folder' : this.#current.get(path)
  }

  hasParent(path: string): boolean {
    return this.find(parent(path)) === 'folder'
  }

  /** Few files ever have more than one. */
  namesOf(inode: SimulatedInode): number {
    if (!inode.linked) return 1
    return [...this.#current.values()].filter(node => node === inode).length
  }

  list(folder: string): string[] {
    const prefix = folder === '' ? '' : `${folder}/`
    const names = [...this.#current.keys()].filter(path => path.startsWith(prefix))
    return names
      .map(path => path.slice(prefix.length))
      .filter(name => name !== '' && !name.includes('/'))
      .sort()
  }

  link(path: string, node: Node): void {
    this.#do({ kind: 'link', path, node }, [parent(path)])
  }

  unlink(path: string): void {
    this.#do({ kind: 'unlink', path }, [parent(path)])
  }

  rename(from: string, to: string): void {
    const node = this.find(from)
    assert(node, `${from} is there`)
    this.#do({ kind: 'rename', from, to, node }, [parent(from), parent(to)])
  }

  mark(): number {
    return this.#count
  }

  /** Changes to this folder up to the mark are durable. */
  synced(folder: string, mark: number): void {
    const left: Pending[] = []
    for (const entry of this.#pending) {
      if (entry.at <= mark) entry.unsynced.delete(folder)
      if (entry.unsynced.size > 0) left.push(entry)
      else apply(this.#durable, entry.change)
    }
    this.#pending = left
  }

  /** Every file that may exist after a crash, by the path it has or had, in order of creation. */
  inodes(): [string, SimulatedInode][] {
    const found = new Map<SimulatedInode, string>()
    const add = (path: string, node: Node): void => {
      if (node !== 'folder') found.set(node, path)
    }
    for (const { change } of this.#pending) {
      if (change.kind === 'link') add(change.path, change.node)
      if (change.kind === 'rename') add(change.from, change.node)
    }
    for (const [path, node] of this.#durable) add(path, node)
    for (const [path, node] of this.#current) add(path, node)
    return [...found]
      .map(([inode, path]): [string, SimulatedInode] => [path, inode])
      .sort(([, a], [, b]) => a.id - b.id)
  }

  choices(): { readonly what: string; readonly options: number }[] {
    return this.#pending.map(({ change }) => {
      const what = change.kind === 'rename' ? change.from : change.path
      return { what: `${change.kind} ${what}`, options: 2 }
    })
  }

  survivor(
    pick: readonly number[],
    inodes: ReadonlyMap<SimulatedInode, SimulatedInode>,
  ): SimulatedNames {
    const names: Names = new Map(this.#durable)
    this.#pending.forEach(({ change }, i) => {
      if (pick[i] === 1) apply(names, change)
    })
    const next = new SimulatedNames()
    // Parents sort before what is in them; whatever lost its parent cannot be reached any more.
    for (const [path, node] of [...names].sort(([a], [b]) => (a < b ? -1 : 1))) {
      const above = parent(path)
      if (above !== '' && next.#durable.get(above) !== 'folder') continue
      next.#durable.set(path, node === 'folder' ? node : inodes.get(node)!)
    }
    next.#current = new Map(next.#durable)
    return next
  }

  #do(change: Change, folders: readonly string[]): void {
    apply(this.#current, change)
    this.#pending.push({ change, at: ++this.#count, unsynced: new Set(folders) })
  }
}

function parent(path: string): string {
  const end = path.lastIndexOf('/')
  return end < 0 ? '' : path.slice(0, end)
}

function apply(names: Names, change: Change): void {
  if (change.kind === 'link') {
    names.set(change.path, change.node)
  } else if (change.kind === 'unlink') {
    names.delete(change.path)
  } else if (change.node !== 'folder') {
    names.delete(change.from)
    names.set(change.to, change.node)
  } else {
    for (const [path, node] of [...names]) {
      if (path !== change.from && !path.startsWith(`${change.from}/`)) continue
      names.delete(path)
      names.set(change.to + path.slice(change.from.length), node)
    }
  }
}
