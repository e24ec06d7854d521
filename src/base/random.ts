// Randomness comes in by constructor, so that a seed decides a whole run (design §9).
import { randomBytes, randomInt } from 'node:crypto'

export interface Random {
  bytes(count: number): Uint8Array
  /** A whole number from 0 to `limit` - 1, each as likely as any other; `limit` below 2^48. */
  below(limit: number): number
}

export const systemRandom: Random = {
  bytes: count => randomBytes(count),
  below: limit => randomInt(limit),
}
