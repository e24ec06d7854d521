// What `apply` and the planner answer when something cannot be: a value, not an exception. The code
// is for programs, the reason is one sentence for people that says what to do.
import type { Configuration } from './configuration.js'

export type RefusalCode =
  | 'no-change' // the configuration says so already
  | 'no-cluster' // nothing but 'cluster-created' makes a first configuration
  | 'already-created'
  | 'no-such-manager'
  | 'last-manager' // a cluster is never without one
  | 'no-such-server'
  | 'no-such-volume'
  | 'no-such-shard'
  | 'bad-name'
  | 'name-taken'
  | 'bad-size'
  | 'smaller' // volumes only grow
  | 'bad-replicas'
  | 'bad-min-in-sync'
  | 'bad-server' // state, weight, capacity or address out of range
  | 'bad-allocation' // not a well-formed list of replicas
  | 'too-few-servers'
  | 'too-many' // a limit of base/limits.ts is reached
  | 'old-incarnation' // an older start of a server than the one on record
  | 'outdated' // planned from an allocation that has changed since
  | 'not-syncing' // only a syncing replica of the server's newest start can catch up
  | 'not-in-sync' // only an in-sync replica can be suspended
  | 'bad-schedule' // of snapshots
  | 'in-use' // a client is attached to the volume, it has snapshots, or a snapshot has clones
  | 'sealed' // another snapshot of the volume is being made
  | 'no-such-snapshot'
  | 'data-loss' // I5: acknowledged writes might be given up

export interface Refusal {
  readonly kind: 'refused'
  readonly code: RefusalCode
  readonly reason: string
}

export interface Applied {
  readonly kind: 'applied'
  readonly configuration: Configuration
}

export type Outcome = Applied | Refusal

export function refuse(code: RefusalCode, reason: string): Refusal {
  return { kind: 'refused', code, reason }
}

/** Tells refusals from results in functions that return either. */
export function isRefusal(value: object | null): value is Refusal {
  return value !== null && 'kind' in value && value.kind === 'refused'
}
