// Access of clients to volumes, at the leader: they attach and detach, and say every second that
// they live. Idle on managers that do not lead.
//
// Nobody loses its access for being silent: a client that stands still may hold writes that it has
// yet to flush. But whoever is silent for a whole lease makes room for another that asks. A client
// that died makes room on its own host at once: its link is gone and it has been silent for a few
// seconds. Being wrong about that costs the one its access, and no data: it is fenced by an epoch
// in either case (src/layout/apply/attachments.ts).
import type { PeerId, VolumeId } from '../../base/brands.js'
import { wait, type Clock } from '../../base/clock.js'
import { isSwarmdiskError } from '../../base/errors.js'
import {
  ATTACH_LOOK_MS,
  ATTACH_WAIT_MS,
  CLIENT_GONE_MS,
  GIVING_BACK_MS,
} from '../../base/limits.js'
import type { Log } from '../../base/log.js'
import { inTheWayOf, inUseText, isAttached } from '../../layout/apply/attachments.js'
import type { Change } from '../../layout/change.js'
import type { Attachment, Configuration, VolumeRecord } from '../../layout/configuration.js'
import type { RelayedPeer } from '../../net/manager-messages.js'
import type { AttachReply, AttachRequest, DetachReply, DetachRequest } from '../../net/messages.js'
import type { Peers } from '../../net/peers.js'
import { shortId } from '../describe-change.js'
import type { ProposalResult } from '../history/configuration-history.js'
import type { ReplicatedHistory } from '../history/replicated-history.js'
import { untilEpochIsNot } from '../proposals/await-epoch.js'
import { ClientLeasesState } from './client-leases-state.js'

export interface AccessDeskOptions {
  readonly clock: Clock
  readonly log: Log
  readonly peers: Pick<Peers, 'find'>
  readonly history: ReplicatedHistory
  readonly propose: (
    change: Change,
    how: { readonly proposer: string; readonly force: boolean },
  ) => Promise<ProposalResult>
}

/** What is known of a client that is attached. */
export interface ClientSeen {
  /** ISO 8601; null: not since this manager leads, or it does not lead. */
  readonly lastSeen: string | null
  readonly expired: boolean
}

type Refused = Extract<AttachReply, { kind: 'refused' }>

/** The managers could not decide about it now. */
const LATER = new Set(['no-leader', 'busy', 'outdated', 'no-majority', 'old-copy'])
const WAIT = { kind: 'wait' } as const
const CODES: ReadonlyMap<string, Refused['code']> = new Map([
  ['in-use', 'in-use'],
  ['no-such-volume', 'not-found'],
])

export class AccessDesk {
  readonly #o: AccessDeskOptions
  readonly #leave: readonly (() => void)[]
  /** Null while this manager does not lead. */
  #state: ClientLeasesState | null = null
  #stopped = false

  constructor(options: AccessDeskOptions) {
    this.#o = options
    const { history } = options
    this.#leave = [
      history.onLeadership(() => this.#leadership()),
      history.subscribe(() => this.#adopt()),
    ]
    this.#leadership()
  }

  stop(): void {
    this.#stopped = true
    for (const leave of this.#leave) leave()
  }

  /** A client says that it lives, whoever has passed it on. */
  heard(client: PeerId): void {
    const { clock } = this.#o
    this.#state?.heard(client, { now: clock.now(), date: clock.date() })
  }

  seen(client: PeerId): ClientSeen {
    const lastSeen = this.#state?.lastSeen(client) ?? null
    return { lastSeen, expired: this.#state?.expired(client, this.#o.clock.now()) ?? false }
  }

  async attach(request: AttachRequest, from: RelayedPeer): Promise<AttachReply> {
    const { clock } = this.#o
    const asked = clock.now()
    for (;;) {
      const configuration = this.#leading()
      if (!configuration) return WAIT
      const volume = configuration.volumes.get(request.volume)
      if (!volume || isForeign(configuration, from)) return noSuchVolume(request)
      const inTheWay = inTheWayOf(volume, { client: from.id, mode: request.mode })
      const held = inTheWay.filter(holder => !this.#makesRoom(holder, request.host))
      if (request.takeover || held.length === 0) return this.#attach(volume, request, from)
      // Somebody who was killed a moment ago does not look so yet; who lives says so in a second.
      const undecided = held.every(({ client, host }) => {
        const silence = this.#state?.silence(client, clock.now()) ?? 0
        return host === request.host && silence >= clock.now() - asked
      })
      if (!undecided || clock.now() - asked >= ATTACH_WAIT_MS) {
        return { kind: 'refused', code: 'in-use', reason: inUseText(volume.name, held) }
      }
      await wait(clock, ATTACH_LOOK_MS)
    }
  }

  async detach({ volume }: DetachRequest, from: RelayedPeer): Promise<DetachReply> {
    const configuration = this.#leading()
    if (!configuration) return WAIT
    const change: Change = { kind: 'volume-detached', volume, client: from.id }
    const result = await this.#propose(change, `client ${shortId(from.id)}`)
    if (result === null) return WAIT
    if (result.kind === 'committed') return { kind: 'detached', epoch: result.record.epoch }
    const now = this.#o.history.current()
    // Refused because of a change that is not committed yet: what is said holds only when it is.
    if (LATER.has(result.code) || !now || isAttached(now.volumes.get(volume), from.id)) return WAIT
    return { kind: 'detached', epoch: now.epoch }
  }

  /**
   * For a change that nobody may be attached for: ends the attachments of clients that were not
   * heard of for long, and waits a moment for those who are about to go.
   */
  async untilVacant(volume: VolumeRecord, proposer: string): Promise<void> {
    const expired = volume.attachments.filter(({ client }) => this.seen(client).expired)
    await this.#end(volume, expired, proposer)
    await this.#untilGivenBack(volume.id)
  }

  /** A program has closed its image, and its mount gives the volume back a moment later. */
  async #untilGivenBack(id: VolumeId): Promise<void> {
    const { clock, history } = this.#o
    const end = clock.now() + GIVING_BACK_MS
    for (let left = GIVING_BACK_MS; left > 0; left = end - clock.now()) {
      const configuration = history.current()
      const attachments = configuration?.volumes.get(id)?.attachments ?? []
      if (!configuration || attachments.length === 0) return
      await untilEpochIsNot({ clock, history }, configuration.epoch, left)
    }
  }

  async #attach(
    volume: VolumeRecord,
    { host, mode, takeover }: AttachRequest,
    from: RelayedPeer,
  ): Promise<AttachReply> {
    const proposer = `client ${shortId(from.id)} at host ${host}`
    // By name, so that only those go that were looked at: another client may be faster than we are.
    const others = volume.attachments.filter(({ client }) => client !== from.id)
    const gone = others.filter(holder => this.#makesRoom(holder, host))
    if (!takeover && !(await this.#end(volume, gone, proposer))) return WAIT
    const since = this.#o.clock.date()
    const named = { volume: volume.id, client: from.id, host, mode, since }
    const change: Change = { kind: 'volume-attached', ...named, takeover }
    const result = await this.#propose(change, proposer)
    if (result === null) return WAIT
    if (result.kind === 'refused' && result.code !== 'no-change') {
      const { code, reason } = result
      if (LATER.has(code)) return WAIT
      return { kind: 'refused', code: CODES.get(code) ?? 'refused', reason }
    }
    this.heard(from.id)
    if (result.kind === 'committed') return { kind: 'attached', epoch: result.record.epoch }
    const now = this.#o.history.current()
    // Nothing to change because of an attachment that is not committed yet: it may never be.
    if (!now || !isAttached(now.volumes.get(volume.id), from.id)) return WAIT
    return { kind: 'attached', epoch: now.epoch }
  }

  /** False: not all could be ended now. */
  async #end(
    volume: VolumeRecord,
    attachments: readonly Attachment[],
    proposer: string,
  ): Promise<boolean> {
    for (const { client, host } of attachments) {
      this.#o.log.warn('a client that is gone loses its access', { volume: volume.name, host })
      const change: Change = { kind: 'volume-detached', volume: volume.id, client }
      const result = await this.#propose(change, proposer)
      if (result === null || (result.kind === 'refused' && LATER.has(result.code))) return false
    }
    return true
  }

  /** For one that asks from this host. */
  #makesRoom({ client, host }: Attachment, forHost: string): boolean {
    const { clock, peers } = this.#o
    if (!this.#state) return false
    if (this.#state.expired(client, clock.now())) return true
    const silent = this.#state.silence(client, clock.now()) >= CLIENT_GONE_MS
    return host === forHost && silent && peers.find(client) === undefined
  }

  /** Null: it may or may not have been done. */
  async #propose(change: Change, proposer: string): Promise<ProposalResult | null> {
    try {
      return await this.#o.propose(change, { proposer, force: false })
    } catch (error) {
      if (!isSwarmdiskError(error)) throw error
      this.#o.log.warn('access was not decided', { kind: change.kind, error: error.message })
      return null
    }
  }

  #leading(): Configuration | null {
    const { history } = this.#o
    return history.leads && !this.#stopped ? history.current() : null
  }

  #leadership(): void {
    if (this.#o.history.leads === (this.#state !== null)) return
    this.#state = this.#o.history.leads ? new ClientLeasesState() : null
    this.#adopt()
  }

  #adopt(): void {
    const configuration = this.#o.history.current()
    if (configuration) this.#state?.adopt(configuration, this.#o.clock.now())
  }
}

/** A volume number of another cluster names another volume. */
function isForeign({ cluster }: Configuration, from: RelayedPeer): boolean {
  return from.cluster !== null && from.cluster !== cluster
}

function noSuchVolume({ volume }: AttachRequest): Refused {
  const reason = `There is no volume number ${volume} (any more).`
  return { kind: 'refused', code: 'not-found', reason }
}
