// Who is a manager. A manager that starts without a history asks to be taken in, gets the log while
// it has no vote yet, and is then proposed; a member whose addresses have changed has them put on
// record; an operator takes in again who was removed. The leader's side and the asking side.
import type { Epoch, PeerId } from '../../base/brands.js'
import { wait, type Clock } from '../../base/clock.js'
import { SwarmdiskError } from '../../base/errors.js'
import { JOIN_COPY_MS, JOIN_DEADLINE_MS, JOIN_RETRY_MS } from '../../base/limits.js'
import type { Log } from '../../base/log.js'
import type { Address, Configuration, ManagerRecord } from '../../layout/configuration.js'
import { equal } from '../../layout/equal.js'
import type { Change } from '../../layout/change.js'
import type { JoinReply, JoinRequest, RelayedPeer } from '../../net/manager-messages.js'
import type { ConfigurationUpdate } from '../../net/messages.js'
import { LOST, type Peers } from '../../net/peers.js'
import { shortId } from '../describe-change.js'
import type { ProposalResult } from '../history/configuration-history.js'
import type { RaftHistory } from '../history/raft-history.js'

export interface MembershipOptions {
  readonly clock: Clock
  readonly log: Log
  readonly peers: Peers
  readonly history: RaftHistory
  readonly addresses: () => readonly Address[]
  readonly propose: (
    change: Change,
    how: { readonly proposer: string; readonly force: boolean },
  ) => Promise<ProposalResult>
}

/** Refusals that no repetition changes. */
const FINAL = new Set(['too-many', 'bad-server', 'no-such-manager'])
const OTHER_CLUSTER =
  'The data directory of this manager belongs to another cluster: start it with an empty one.'

export class Membership {
  readonly #o: MembershipOptions
  #asking = false
  #stopped = false
  /** The others have a configuration of this epoch, and we are not in it; 0 if none is known. */
  #goneAt = 0

  constructor(options: MembershipOptions) {
    this.#o = options
  }

  stop(): void {
    this.#stopped = true
  }

  get isMember(): boolean {
    const epoch = this.#o.history.current()?.epoch ?? 0
    return epoch >= this.#goneAt && this.#recordOf(this.#o.peers.self) !== undefined
  }

  /**
   * A configuration that others go by, or what has changed since ours. Whoever was removed while it
   * was down hears of it only so: its copy of the log gets nothing any more. True: it is news.
   */
  hears(update: ConfigurationUpdate): boolean {
    const epoch = this.#o.history.current()?.epoch ?? 0
    const told = managersIn(update)
    if (told === null || told.epoch <= epoch || !this.isMember) return false
    if (told.managers.some(({ id }) => id === this.#o.peers.self)) return false
    this.#goneAt = told.epoch
    return true
  }

  // ---- the leader's side ----------------------------------------------------------------------

  /** A manager asks to be taken in, or to have its addresses put on record. */
  async join({ addresses }: JoinRequest, from: RelayedPeer): Promise<JoinReply> {
    const { history, propose } = this.#o
    const configuration = history.current()
    if (!configuration) return { kind: 'wait', reason: 'The cluster is being made.' }
    if (from.cluster !== null && from.cluster !== configuration.cluster) {
      return { kind: 'refused', reason: OTHER_CLUSTER }
    }
    const manager: ManagerRecord = { id: from.id, addresses }
    const known = this.#recordOf(from.id)
    const how = { proposer: `manager ${shortId(from.id)}`, force: false }
    if (equal(known, manager)) return { kind: 'joined', epoch: configuration.epoch }
    if (known) return answerTo(await propose({ kind: 'manager-updated', manager }, how))
    const copied = await this.#copy(from.id)
    if (!copied) return { kind: 'wait', reason: 'The history is being copied to it.' }
    const reply = answerTo(await propose({ kind: 'manager-added', manager }, how))
    if (reply.kind === 'refused') history.removeLearner(from.id)
    return reply
  }

  /** An operator takes in a manager that is running and connected. */
  async add(
    manager: ManagerRecord,
    how: { readonly proposer: string; readonly force: boolean },
  ): Promise<ProposalResult> {
    const { history, propose } = this.#o
    if (!(await this.#copy(manager.id))) {
      const reason = 'The history could not be copied to it in time: is it running? Try again.'
      return { kind: 'refused', code: 'not-copied', reason }
    }
    const result = await propose({ kind: 'manager-added', manager }, how)
    if (result.kind === 'refused') history.removeLearner(manager.id)
    return result
  }

  #copy(peer: PeerId): Promise<boolean> {
    this.#o.history.addLearner(peer)
    return this.#o.history.caughtUp(peer, JOIN_COPY_MS)
  }

  // ---- the asking side ------------------------------------------------------------------------

  /** Resolves when this manager is a member; 'refused' says that it never will be. */
  async ask(waiting: (reason: string) => void): Promise<void> {
    const { clock, log, peers, history } = this.#o
    let last = ''
    while (!this.#stopped && !this.isMember) {
      const reply = await this.#askOnce()
      if (reply.kind === 'refused') throw new SwarmdiskError('refused', reply.reason)
      if (reply.kind === 'wait' && reply.reason !== last) {
        log.info('waits to be taken in by the other managers', { reason: reply.reason })
        waiting(reply.reason)
        last = reply.reason
      }
      await wait(clock, JOIN_RETRY_MS)
    }
    if (this.isMember) {
      log.info('is a manager of the cluster', {
        id: peers.self,
        epoch: history.current()?.epoch,
      })
    }
  }

  /** Resolves when an operator has taken this manager in again, which was removed. */
  untilAdded(waiting: (reason: string) => void): Promise<void> {
    const { history, peers } = this.#o
    waiting(
      'This manager was removed from the cluster: "swarmdisk manager add ' +
        `${shortId(peers.self)}" takes it in again.`,
    )
    return new Promise(resolve => {
      const stop = history.subscribe(() => {
        if (!this.isMember) return
        stop()
        resolve()
      })
    })
  }

  async #askOnce(): Promise<JoinReply> {
    const { peers, addresses } = this.#o
    const managers = peers.list().filter(peer => peer.roles.includes('manager') && peer.cluster)
    let answer: JoinReply | null = null
    for (const { id } of managers) {
      const request = { addresses: addresses() }
      const reply = await peers.request(id, 'manager-join', request, { deadline: JOIN_DEADLINE_MS })
      // One that reaches no leader says so; another one may.
      if (reply !== LOST) answer = reply
      if (answer && answer.kind !== 'wait') return answer
      if (this.isMember) break
    }
    if (answer) return answer
    const reason =
      managers.length === 0
        ? 'No manager of the cluster can be reached: is one running with this key and bootstrap?'
        : 'The managers do not answer.'
    return { kind: 'wait', reason }
  }

  /** The port may have changed since the last start; only known once the network has started. */
  async updateAddresses(join: (request: JoinRequest) => Promise<JoinReply>): Promise<void> {
    const known = this.#recordOf(this.#o.peers.self)
    const addresses = this.#o.addresses()
    if (this.#asking || !known || equal(known.addresses, addresses)) return
    this.#asking = true
    try {
      await join({ addresses })
    } finally {
      this.#asking = false
    }
  }

  #recordOf(id: PeerId): ManagerRecord | undefined {
    return managersOf(this.#o.history.current()).find(manager => manager.id === id)
  }
}

function managersOf(configuration: Configuration | null): readonly ManagerRecord[] {
  return configuration?.managers ?? []
}

/** Null where it says nothing about them. */
function managersIn(
  update: ConfigurationUpdate,
): { readonly epoch: Epoch; readonly managers: readonly ManagerRecord[] } | null {
  if (update.kind === 'full') return update.configuration
  if (update.kind === 'current' || update.delta.managers === null) return null
  return { epoch: update.delta.to, managers: update.delta.managers }
}

function answerTo(result: ProposalResult): JoinReply {
  if (result.kind === 'committed') return { kind: 'joined', epoch: result.record.epoch }
  const { code, reason } = result
  return { kind: FINAL.has(code) ? 'refused' : 'wait', reason }
}
