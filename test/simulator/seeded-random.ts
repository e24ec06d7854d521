// Randomness from a seed (xoshiro128**, public domain algorithm by Blackman and Vigna).
import { crc32 } from 'node:zlib'
import type { Random } from '../../src/base/random.js'

export class SeededRandom implements Random {
  readonly #state = new Uint32Array(4)

  constructor(seed: number) {
    // splitmix32 spreads small seeds over the whole state.
    let x = seed >>> 0
    for (let i = 0; i < 4; i++) {
      x = (x + 0x9e3779b9) >>> 0
      let z = x
      z = Math.imul(z ^ (z >>> 16), 0x85ebca6b)
      z = Math.imul(z ^ (z >>> 13), 0xc2b2ae35)
      this.#state[i] = (z ^ (z >>> 16)) >>> 0
    }
  }

  /** 32 random bits. */
  next(): number {
    const s = this.#state
    const [a, b, c, d] = [s[0]!, s[1]!, s[2]!, s[3]!]
    const result = Math.imul(rotate(Math.imul(b, 5), 7), 9) >>> 0
    s[2] = c ^ a
    s[3] = d ^ b
    s[1] = b ^ s[2]
    s[0] = a ^ s[3]
    s[2] ^= b << 9
    s[3] = rotate(s[3], 11)
    return result
  }

  below(limit: number): number {
    return Math.floor((this.next() / 2 ** 32) * limit)
  }

  bytes(count: number): Uint8Array {
    return Uint8Array.from({ length: count }, () => this.next() & 0xff)
  }

  /** True with the given probability. */
  chance(probability: number): boolean {
    return this.next() / 2 ** 32 < probability
  }

  pick<T>(items: readonly T[]): T {
    return items[this.below(items.length)]!
  }
}

/** Chance of one seed for one purpose: each purpose has a sequence of its own. */
export function streamOf(seed: number, purpose: string): SeededRandom {
  return new SeededRandom(Math.imul(seed, 0x9e3779b1) ^ crc32(purpose))
}

function rotate(x: number, k: number): number {
  return ((x << k) | (x >>> (32 - k))) >>> 0
}
