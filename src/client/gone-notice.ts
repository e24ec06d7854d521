// Brings the word that a storage server's process has ended to the managers: to one after the other
// until one says that the others go on without it. After a lease nobody needs to hear it any more.
// Saying it twice does no harm.
import type { PeerId } from '../base/brands.js'
import { wait, type Clock } from '../base/clock.js'
import { GONE_ATTEMPT_MS, GONE_DEADLINE_MS, GONE_RETRY_MS } from '../base/limits.js'
import type { GoneNotice } from '../net/manager-messages.js'
import { LOST, type Peers } from '../net/peers.js'

export interface BringOptions {
  readonly peers: Pick<Peers, 'list' | 'request'>
  readonly clock: Clock
  readonly notice: GoneNotice
}

/** Whether a manager has taken it; if not, the managers wait for the lease to end. */
export async function bringGoneNotice({ peers, clock, notice }: BringOptions): Promise<boolean> {
  const end = clock.now() + GONE_DEADLINE_MS
  const asked = new Set<PeerId>()
  while (clock.now() < end) {
    const managers = peers.list().filter(({ roles }) => roles.includes('manager'))
    const next = managers.find(({ id }) => !asked.has(id))
    if (next) {
      asked.add(next.id)
      const deadline = Math.min(GONE_ATTEMPT_MS, end - clock.now())
      const reply = await peers.request(next.id, 'gone', notice, { deadline })
      if (reply !== LOST && reply.ok) return true
    } else {
      // None is there yet, or none had a leader: all of them are asked again.
      asked.clear()
      await wait(clock, GONE_RETRY_MS)
    }
  }
  return false
}
