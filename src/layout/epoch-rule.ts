// The epoch rule (design §3), in one place. A request carries the client's epoch `c`. A server at
// epoch `s`, for a shard whose allocation last changed at epoch `a` (a <= s):
//
//   c < a        refuse-stale    this allocation is replaced for the client: StaleEpoch{s}, and a
//                                manager hears of the mismatch
//   a <= c < s   serve-and-tell  the shard is as the client believes; the answer tells it s
//   c = s        serve
//   c > s        ask-manager     the server is behind: it fetches the configuration and decides
//                                again; parked within a limit, never executed under the old one
//
// What would be served is refused ("refuse-access") if it is a write or a FLUSH of a client that,
// by the server's configuration, is not attached to the volume (I4). Reading is free to all.
import { assert } from '../base/assert.js'
import type { Epoch } from '../base/brands.js'

export type EpochDecision =
  'serve' | 'serve-and-tell' | 'refuse-stale' | 'refuse-access' | 'ask-manager'

export function decideByEpoch(request: {
  readonly client: Epoch
  readonly server: Epoch
  readonly allocation: Epoch
  /** A read, or of a client that is attached under the server's configuration. */
  readonly permitted: boolean
}): EpochDecision {
  const { client, server, allocation, permitted } = request
  assert(allocation <= server, 'no allocation is newer than the configuration it is in')
  if (client > server) return 'ask-manager'
  if (client < allocation) return 'refuse-stale'
  if (!permitted) return 'refuse-access'
  return client === server ? 'serve' : 'serve-and-tell'
}
