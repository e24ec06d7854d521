// For whoever has seen the process of a storage server end: finds out from its data directory
// whether it is gone for certain, and which start that was, and tells the managers in its name. It
// takes part in the swarm as a client for the moment.
import { hostname } from 'node:os'
import { systemClock } from '../../base/clock.js'
import type { Log } from '../../base/log.js'
import { bringGoneNotice } from '../../client/gone-notice.js'
import { goneNotice } from '../../net/codecs/gone-notice.js'
import type { ClusterAccess } from '../processes/cluster-access.js'
import { lastProcess, type LastProcess } from '../processes/data-directory.js'
import { createMember } from '../processes/swarm-member.js'

export type Telling =
  /** The others go on without it. */
  | { readonly kind: 'told' }
  /** No manager took it: none was there, or none leads, or another start is on record. */
  | { readonly kind: 'unheard' }
  /** There was nothing that could be told. */
  | Exclude<LastProcess, { readonly kind: 'gone' }>

export interface TellOptions {
  readonly access: ClusterAccess
  /** Of a storage server. */
  readonly data: string
  readonly log: Log
}

export async function tellGone({ access, data, log }: TellOptions): Promise<Telling> {
  const last = lastProcess({ path: data, role: 'storage', key: access.key })
  if (last.kind !== 'gone') return last
  const notice = goneNotice(last.keyPair, last.incarnation)
  const member = createMember({ access, log, name: hostname(), roles: ['client'] })
  // Managers push the configuration to every peer; this one wants only an answer.
  member.peers.serve('configuration', () => undefined)
  await member.start()
  try {
    const clock = systemClock
    const heard = await bringGoneNotice({ peers: member.peers, clock, notice })
    return { kind: heard ? 'told' : 'unheard' }
  } finally {
    await member.stop()
  }
}
