// The operations that only the leader can carry out and that any manager takes: what the leader
// does, what a manager answers that reaches no leader, and how long each may take.
import {
  ATTACH_LEADER_MS,
  ADMIN_LEADER_MS,
  ADMIN_PATIENCE_MS,
  ADMIN_QUESTION_MS,
} from '../../base/limits.js'
import type { GoneNotice } from '../../net/manager-messages.js'
import type { OperationName, Request } from '../../net/operations.js'
import type { AdminDesk } from '../admin/admin.js'
import type { AccessDesk } from '../leases/access-desk.js'
import type { FailureDetection } from '../leases/failure-detection.js'
import type { LeaderDesk } from './leader-desk.js'
import type { Membership } from './membership.js'
import type { Asked, Relayed } from './relay.js'
import { changeWithoutLeader, isQuestion, NO_MEMBER } from './without-leader.js'

const NAMES = [
  ...([
    'register',
    'heartbeat',
    'leaving',
    'gone',
    'caught-up-proposal',
    'suspend-proposal',
    'sealed',
  ] as const),
  ...(['manager-join', 'admin', 'attach', 'detach', 'client-heartbeat'] as const),
] as const
type Name = (typeof NAMES)[number]

export interface RelayedOperations {
  readonly names: readonly Name[]
  of<O extends OperationName>(operation: O): Relayed<O>
  limits<O extends OperationName>(
    operation: O,
    request: Request<O>,
  ): Pick<Asked<O>, 'patience' | 'deadline'>
}

type Table = { readonly [N in Name]: Relayed<N> }

export function relayedOperations(parts: {
  readonly desk: LeaderDesk
  readonly admin: AdminDesk
  readonly detection: FailureDetection
  readonly membership: Membership
  readonly access: AccessDesk
  readonly isGenuine: (notice: GoneNotice) => boolean
}): RelayedOperations {
  const { desk, admin, detection, membership, access } = parts
  const table: Table = {
    register: {
      handler: (request, from) => desk.register(request, from),
      otherwise: () => ({ kind: 'wait' }),
    },
    heartbeat: {
      handler: (request, from) => Promise.resolve(detection.heartbeat(request, from)),
      otherwise: () => ({ kind: 'no-leader' }),
    },
    leaving: {
      handler: async ({ incarnation }, from) => ({
        ok: await detection.left(from.id, { incarnation, reason: 'it was stopped' }),
      }),
      otherwise: () => ({ ok: false }),
    },
    gone: {
      handler: async notice => {
        const { server, incarnation } = notice
        if (!parts.isGenuine(notice)) return { ok: false }
        return {
          ok: await detection.left(server, { incarnation, reason: 'its process has ended' }),
        }
      },
      otherwise: () => ({ ok: false }),
    },
    ...proposalsOfPrimaries(desk),
    'manager-join': {
      handler: (request, from) => membership.join(request, from),
      otherwise: () => ({ kind: 'wait', reason: 'The managers have no leader at present.' }),
    },
    admin: {
      handler: async ({ json }, from) => ({ json: await admin.carryOut(json, from) }),
      otherwise: async ({ json }, why, from) => {
        if (!isQuestion(json)) return { json: JSON.stringify(changeWithoutLeader(why)) }
        if (!membership.isMember) return { json: JSON.stringify(NO_MEMBER) }
        return { json: await admin.carryOut(json, from) }
      },
    },
    ...accessOperations(access),
  }
  return {
    names: NAMES,
    of<O extends OperationName>(operation: O): Relayed<O> {
      return (table as unknown as { readonly [K in OperationName]: Relayed<K> })[operation]
    },
    limits(operation, request) {
      if (operation === 'attach') {
        return { deadline: ATTACH_LEADER_MS, patience: ADMIN_PATIENCE_MS }
      }
      if (operation === 'detach') return { patience: ADMIN_PATIENCE_MS }
      if (operation !== 'admin') return {}
      // A question is answered by any manager; a change is worth waiting for an election.
      return isQuestion((request as Request<'admin'>).json)
        ? { deadline: ADMIN_QUESTION_MS }
        : { deadline: ADMIN_LEADER_MS, patience: ADMIN_PATIENCE_MS }
    },
  }
}

/** Notices: what is lost is said again, as long as it is so. */
function proposalsOfPrimaries(
  desk: LeaderDesk,
): Pick<Table, 'caught-up-proposal' | 'suspend-proposal' | 'sealed'> {
  return {
    'caught-up-proposal': {
      handler(request, from) {
        desk.caughtUp(request, from)
        return Promise.resolve(null)
      },
      otherwise: () => null,
    },
    'suspend-proposal': {
      handler(request, from) {
        desk.suspend(request, from)
        return Promise.resolve(null)
      },
      otherwise: () => null,
    },
    sealed: {
      handler(request, from) {
        desk.snapshots.sealed(from.id, request)
        return Promise.resolve(null)
      },
      otherwise: () => null,
    },
  }
}

function accessOperations(
  access: AccessDesk,
): Pick<Table, 'attach' | 'detach' | 'client-heartbeat'> {
  return {
    attach: {
      handler: (request, from) => access.attach(request, from),
      otherwise: () => ({ kind: 'wait' }),
    },
    detach: {
      handler: (request, from) => access.detach(request, from),
      otherwise: () => ({ kind: 'wait' }),
    },
    'client-heartbeat': {
      handler(_, from) {
        access.heard(from.id)
        return Promise.resolve(null)
      },
      // It is said again in a second, to another manager.
      otherwise: () => null,
    },
  }
}
