// Numbers by which the kernel knows files. A number is made from the name alone, so a file has the
// same one for as long as it exists, also in another mount. The table holds those that the kernel
// knows, until it forgets them as often as it looked them up. Pure.
import { assert } from '../../base/assert.js'
import { FUSE_NODES_MAX } from '../../base/limits.js'
import { FileRefusal } from '../errno.js'
import { ROOT_NODE } from './protocol.js'

interface KnownNode {
  readonly path: string
  lookups: number
}

export class NodeTable {
  readonly #nodes = new Map<number, KnownNode>()
  readonly #numbers = new Map<string, number>()

  /** Other than the root. */
  get size(): number {
    return this.#nodes.size
  }

  /** Null: none that the kernel may know. */
  path(node: number): string | null {
    return node === ROOT_NODE ? '/' : (this.#nodes.get(node)?.path ?? null)
  }

  /** The kernel is told of it, and will forget it once more. */
  lookUp(path: string): number {
    const node = this.numberOf(path)
    if (node === ROOT_NODE) return node
    const known = this.#nodes.get(node)
    if (known) {
      known.lookups++
      return node
    }
    if (this.#nodes.size >= FUSE_NODES_MAX) throw new FileRefusal('too-many-open')
    this.#nodes.set(node, { path, lookups: 1 })
    this.#numbers.set(path, node)
    return node
  }

  /** What the kernel does not know, it cannot forget: such numbers are passed over. */
  forget(node: number, count: number): void {
    const known = this.#nodes.get(node)
    if (!known) return
    known.lookups -= count
    if (known.lookups > 0) return
    this.#nodes.delete(node)
    this.#numbers.delete(known.path)
  }

  /** Two names with one number are a matter of chance, so the second one gets the next number. */
  numberOf(path: string): number {
    if (path === '/') return ROOT_NODE
    const known = this.#numbers.get(path)
    if (known !== undefined) return known
    let node = numberFor(path)
    while (this.#nodes.has(node)) node++
    return node
  }
}

/** Two hashes (FNV-1a) make 52 bits, above the numbers that mean something to the kernel. */
function numberFor(path: string): number {
  let a = 0x811c9dc5
  let b = 0x050c5d1f
  for (const byte of Buffer.from(path)) {
    a = Math.imul(a ^ byte, 0x01000193)
    b = Math.imul(b ^ byte, 0x01000197)
  }
  const node = ((b >>> 0) % 2 ** 20) * 2 ** 32 + (a >>> 0) + 2 ** 16
  assert(Number.isSafeInteger(node) && node > ROOT_NODE, 'a node number is exact')
  return node
}
