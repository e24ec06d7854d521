// Numbers that look random and depend on their inputs alone, for rendezvous hashing. Two 32-bit
// lanes are mixed with the finalizer of MurmurHash3 (public domain): every input bit reaches every
// output bit. Not for anything an adversary may choose.

/** A starting point for `fraction`, made once for each server. */
export interface Seed {
  readonly high: number
  readonly low: number
}

export function seedOf(text: string): Seed {
  let high = 0x9e3779b9
  let low = 0x7f4a7c15
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i)
    high = scramble(high ^ code)
    low = scramble(low + high)
  }
  return { high, low }
}

/** Above 0 and below 1, all 2^52 values equally likely. */
export function fraction(
  seed: Seed,
  key: { readonly volume: number; readonly shard: number },
): number {
  const first = scramble(seed.high ^ Math.imul(key.volume + 1, 0x9e3779b1))
  const low = scramble((seed.low + first) ^ Math.imul(key.shard + 1, 0x85ebca77))
  const high = scramble(first ^ low)
  return ((high >>> 0) * 2 ** 20 + (low >>> 12) + 0.5) / 2 ** 52
}

function scramble(value: number): number {
  let h = value | 0
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b)
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35)
  return h ^ (h >>> 16)
}
