// What the leader makes of primaries that want to go on without a replica.
import test from 'tape'
import { shardIndex, type Incarnation, type PeerId } from '../../src/base/brands.js'
import { SUSPEND_AGAIN_MS } from '../../src/base/limits.js'
import { silentLog } from '../../src/base/log.js'
import type { Change } from '../../src/layout/change.js'
import type { Configuration } from '../../src/layout/configuration.js'
import type { ProposalResult } from '../../src/manager/history/configuration-history.js'
import { Suspensions } from '../../src/manager/suspensions.js'
import type { SuspendProposal } from '../../src/net/messages.js'
import { clusterWithVolume, must, shardOf, VOLUME } from '../layout/clusters.js'
import { VirtualClock } from '../simulator/virtual-clock.js'

const START = clusterWithVolume()

class Bench {
  readonly clock = new VirtualClock()
  readonly live = new Map<PeerId, Incarnation>()
  readonly proposed: string[] = []
  readonly suspensions: Suspensions
  configuration: Configuration = START
  refusal: string | null = null
  /** Votes take their time while this is set. */
  hold: Promise<void> | null = null

  constructor() {
    for (const { id, incarnation } of START.servers.values()) this.live.set(id, incarnation)
    this.suspensions = new Suspensions({
      ...{ clock: this.clock, log: silentLog },
      current: () => this.configuration,
      live: () => this.live,
      propose: change => this.#propose(change),
    })
  }

  /** The primary of the shard says so of the replica at this place. */
  say(shard: number, place: number, fields: { primary?: PeerId; late?: boolean } = {}): void {
    const { epoch, replicas } = shardOf(START, shard)
    const now = fields.late ? epoch : shardOf(this.configuration, shard).epoch
    const proposal: SuspendProposal = {
      replicas: [
        {
          ...{ volume: VOLUME, shard: shardIndex(shard), allocation: now },
          ...{ server: replicas[place]!.server, cause: 'unreachable' },
        },
      ],
    }
    const primary = shardOf(this.configuration, shard).replicas[0]!.server
    this.suspensions.add(fields.primary ?? primary, proposal)
  }

  async #propose(change: Change): Promise<ProposalResult> {
    if (change.kind !== 'replicas-suspended') throw new Error('another kind of change')
    this.proposed.push(change.replicas.map(({ shard }) => shard).join(' '))
    await this.hold
    if (this.refusal) return { kind: 'refused', code: this.refusal, reason: 'x' }
    this.configuration = must(this.configuration, change)
    return { kind: 'committed' } as ProposalResult
  }
}

test('what comes together is one change, and what comes meanwhile the next', async t => {
  const bench = new Bench()
  let release = (): void => undefined
  bench.hold = new Promise(resolve => (release = resolve))
  bench.say(0, 1)
  bench.say(1, 2)
  await bench.clock.advance(1)
  t.deepEqual(bench.proposed, ['0 1'])
  bench.say(2, 1)
  bench.say(2, 1)
  release()
  await bench.clock.advance(1)
  t.deepEqual(bench.proposed, ['0 1', '2'])
})

test('only of in-sync replicas that live, by the primary, in its epoch', async t => {
  const bench = new Bench()
  const [, second, third] = shardOf(START).replicas.map(({ server }) => server)
  bench.say(0, 1, { primary: second! })
  bench.live.delete(third!)
  bench.say(0, 2)
  await bench.clock.advance(1)
  t.deepEqual(bench.proposed, [], 'not the primary; a lease that is over ends by itself')
  bench.say(0, 1)
  await bench.clock.advance(1)
  t.deepEqual(bench.proposed, ['0'])
  bench.say(0, 1)
  bench.say(0, 1, { late: true })
  await bench.clock.advance(1)
  t.deepEqual(bench.proposed, ['0'], 'it is syncing by now, and that was another epoch')
})

test('what was refused is not asked again at once', async t => {
  const bench = new Bench()
  bench.refusal = 'no-vote'
  bench.say(0, 1)
  await bench.clock.advance(SUSPEND_AGAIN_MS - 1)
  bench.say(0, 1)
  await bench.clock.advance(0)
  t.equal(bench.proposed.length, 1)
  await bench.clock.advance(1)
  bench.say(0, 1)
  await bench.clock.advance(1)
  t.equal(bench.proposed.length, 2)
  bench.refusal = 'outdated'
  await bench.clock.advance(SUSPEND_AGAIN_MS)
  bench.say(0, 1)
  await bench.clock.advance(1)
  bench.say(0, 1)
  await bench.clock.advance(1)
  t.equal(bench.proposed.length, 4, 'one that was overtaken is made anew')
  await bench.suspensions.stop()
  bench.say(0, 1)
  await bench.clock.advance(1)
  t.equal(bench.proposed.length, 4, 'stopped')
})
