// The epoch rule (design §3), in one place. A request carries the client's epoch `c`. A server at
// epoch `s`, for a shard whose allocation last changed at epoch `a` (a <= s):
//
//   c < a        refuse-stale    this allocation is replaced for the client: StaleEpoch{s}, and a
//                                manager hears of the mismatch
//   a <= c < s   serve-and-tell  the shard is as the client believes; the answer tells it s
//   c = s        serve
//   c > s        ask-manager     the server is behind: it fetches the configuration and decides
//                                again; parked within a limit, never executed under the old one
import { assert } from '../base/assert.js'
import type { Epoch } from '../base/brands.js'

export type EpochDecision = 'serve' | 'serve-and-tell' | 'refuse-stale' | 'ask-manager'

export function decideByEpoch(epochs: {
  readonly client: Epoch
  readonly server: Epoch
  readonly allocation: Epoch
}): EpochDecision {
  const { client, server, allocation } = epochs
  assert(allocation <= server, 'no allocation is newer than the configuration it is in')
  if (client > server) return 'ask-manager'
  if (client < allocation) return 'refuse-stale'
  return client === server ? 'serve' : 'serve-and-tell'
}
