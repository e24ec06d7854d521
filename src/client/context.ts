// What all parts of one client share.
import type { Alarms } from '../base/alarms.js'
import type { Clock } from '../base/clock.js'
import type { Log } from '../base/log.js'
import type { Random } from '../base/random.js'
import type { AccessMode } from '../layout/configuration.js'
import type { ConfigurationWatch } from '../net/configuration-watch.js'
import type { Peers } from '../net/peers.js'
import type { FrameMemory } from '../net/wire/frame-memory.js'
import type { Hedges } from './shard/hedges.js'
import type { RequestCounter } from './shard/request-numbers.js'
import type { ReplicaLoads } from './shard/routing.js'
import type { PendingRequests } from './shard/shard-request.js'
import type { Wakeup } from './wakeup.js'

export interface ClientContext {
  readonly clock: Clock
  /** For waits that nearly always end before their time. */
  readonly alarms: Alarms
  readonly random: Random
  readonly peers: Peers
  readonly watch: ConfigurationWatch
  readonly log: Log
  /** Takes back the frames of answers that were copied out. */
  readonly memory: Pick<FrameMemory, 'give'>
  /** Where it runs, as others read it; and whether it shares what it writes to. */
  readonly host: string
  readonly mode: AccessMode
  /** Milliseconds after which a call fails; null: never. */
  readonly ioTimeout: number | null
  readonly flushesForeseenAfter: number
  readonly pending: PendingRequests
  readonly counter: RequestCounter
  readonly loads: ReplicaLoads
  readonly hedges: Hedges
  readonly wakeup: Wakeup
}
