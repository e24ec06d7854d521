// Whether a manager answers at all. The link of a process that was killed looks sound until the
// transport gives up, so what must not be asked twice goes only to one that has just answered.
import { epoch, EPOCH_LIMIT, type PeerId } from '../base/brands.js'
import { MANAGER_ALIVE_MS } from '../base/limits.js'
import { LOST, type Peers } from './peers.js'

/** False: not within MANAGER_ALIVE_MS, which says nothing of what it has done before. */
export async function lives(peers: Pick<Peers, 'request'>, manager: PeerId): Promise<boolean> {
  // Nothing is newer than this, so the answer is short and comes from memory.
  const newest = { have: epoch(EPOCH_LIMIT - 1) }
  const reply = await peers.request(manager, 'fetch-configuration', newest, {
    deadline: MANAGER_ALIVE_MS,
  })
  return reply !== LOST
}
