// A storage server's contact with managers 1, 2, 3 whose every answer is the test's.
import { byteCount, epoch, incarnation, type PeerId } from '../../../src/base/brands.js'
import { silentLog } from '../../../src/base/log.js'
import type { HeartbeatReply } from '../../../src/net/manager-messages.js'
import type { OkReply, RegisterReply } from '../../../src/net/messages.js'
import type { OperationName } from '../../../src/net/operations.js'
import { LeaseState } from '../../../src/storage/managers/lease-state.js'
import { ManagerContact } from '../../../src/storage/managers/manager-contact.js'
import type { Answered } from '../../../src/storage/managers/registration.js'
import { FenceState } from '../../../src/storage/voting/fence-state.js'
import { NOTHING_SERVED, testConfiguration } from '../../helpers/configurations.js'
import { ScriptedPeers, testPeer } from '../../helpers/scripted-peers.js'
import { VirtualClock } from '../../simulator/virtual-clock.js'

export const [ONE, TWO, THREE] = [testPeer(1), testPeer(2), testPeer(3)] as const
const nameOf = (id: PeerId): number => [ONE, TWO, THREE].indexOf(id) + 1

/** Null: no answer. */
type Answers<R> = (manager: number) => R | null

export class ContactFixture {
  readonly clock = new VirtualClock()
  readonly peers = new ScriptedPeers(this.clock)
  readonly lease = new LeaseState()
  readonly fence = new FenceState()
  readonly contact: ManagerContact
  /** Who was asked what, in order: 'heartbeat 1'. */
  readonly asked: string[] = []
  readonly fenced: number[] = []
  readonly answered: Answered[] = []
  readonly wanted: number[] = []
  removed = false
  heartbeat: Answers<HeartbeatReply> = manager => this.granted(manager)
  register: Answers<RegisterReply> = () => ({ kind: 'registered', epoch: epoch(5) })
  leaving: Answers<OkReply> = () => ({ ok: true })
  leader = ONE

  constructor() {
    const managers = [ONE, TWO, THREE].map(id => ({ id, addresses: [] }))
    const configuration = testConfiguration({ managers })
    this.peers.script = ({ to, operation, request, answer }) => {
      this.asked.push(`${operation} ${nameOf(to)}`)
      const isHeartbeat = operation === 'heartbeat'
      if (isHeartbeat) this.fenced.push((request as { readonly fenced: number }).fenced)
      const asked = isHeartbeat
        ? this.heartbeat
        : operation === 'leaving'
          ? this.leaving
          : this.register
      const reply = asked(nameOf(to))
      if (reply) this.clock.after(1, () => answer(reply))
    }
    const none = byteCount(0)
    const report = {
      ...{ incarnation: incarnation(1), epoch: epoch(5), used: none, free: none },
      ...{
        corruptBlocks: 0,
        problem: '',
        syncing: [],
        merging: [],
        served: NOTHING_SERVED,
        recovered: none,
      },
    }
    this.contact = new ManagerContact({
      ...{ peers: this.peers, clock: this.clock, log: silentLog },
      ...{ lease: this.lease, fence: this.fence, incarnation: incarnation(1) },
      configuration: () => configuration,
      epoch: () => configuration.epoch,
      wanted: mentioned => void this.wanted.push(mentioned),
      request: () => ({
        ...{ name: 'a', domain: 'a', capacity: none, weight: 1, addresses: [] },
        incarnation: incarnation(1),
      }),
      removed: () => this.removed,
      unable: () => false,
      answered: reply => void this.answered.push(reply),
      report: () => Promise.resolve(report),
      proposals: () => [],
      sealedShards: () => [],
    })
  }

  granted(_manager: number, released = 0): HeartbeatReply {
    return { kind: 'granted', epoch: epoch(5), leader: this.leader, released: epoch(released) }
  }

  connect(...managers: readonly PeerId[]): void {
    for (const id of managers) this.peers.connect(id, ['manager'])
  }

  /** What was asked while this much time went by. */
  async during(duration: number): Promise<readonly string[]> {
    const before = this.asked.length
    await this.clock.advance(duration)
    return this.asked.slice(before)
  }

  get leaseValid(): boolean {
    return this.lease.valid({ now: this.clock.now(), known: epoch(5) })
  }

  /** Whether it held at every moment of this time. */
  async leaseHolds(duration: number): Promise<boolean> {
    let held = true
    for (let at = 0; at < duration; at += 10) {
      await this.clock.advance(10)
      held &&= this.leaseValid
    }
    return held
  }

  notifiedOf(operation: OperationName): readonly number[] {
    return this.peers.notified.filter(n => n.operation === operation).map(n => nameOf(n.to))
  }
}
