// Snapshots by schedule in virtual time: made, kept in number, tried again, left to the leader.
import test from 'tape'
import { epoch, volumeId } from '../../../src/base/brands.js'
import { SCHEDULE_RETRY_MS } from '../../../src/base/limits.js'
import { silentLog } from '../../../src/base/log.js'
import { apply } from '../../../src/layout/apply.js'
import type { Change } from '../../../src/layout/change.js'
import type { Configuration } from '../../../src/layout/configuration.js'
import type { ProposalResult } from '../../../src/manager/history/configuration-history.js'
import { Schedules } from '../../../src/manager/schedules/schedules.js'
import type { Snapshots } from '../../../src/manager/snapshots.js'
import { clusterWithVolume, must, VOLUME } from '../../layout/clusters.js'
import { VirtualClock } from '../../simulator/virtual-clock.js'

const HOUR = 3_600_000

class Bench {
  readonly clock = new VirtualClock()
  readonly tried: string[] = []
  leads = true
  ready = true
  configuration: Configuration
  readonly #schedules: Schedules

  constructor(keep: number) {
    this.configuration = must(clusterWithVolume(), {
      ...{ kind: 'volume-set', volume: VOLUME, minInSync: null },
      schedules: [{ period: 'hourly', keep }],
    })
    const isLeading = (): boolean => this.leads
    this.#schedules = new Schedules({
      ...{ clock: this.clock, log: silentLog },
      history: {
        current: () => this.configuration,
        get leads() {
          return isLeading()
        },
      },
      snapshots: { create: snapshots => this.#create(snapshots[0]!.name) },
      propose: change => Promise.resolve(this.#propose(change)),
    })
    this.consider()
  }

  consider(): void {
    this.#schedules.consider()
  }

  stop(): Promise<void> {
    return this.#schedules.stop()
  }

  /** The minutes of the snapshots that there are. */
  get made(): readonly string[] {
    return this.configuration.volumes.get(VOLUME)!.snapshots.map(({ name }) => name.slice(-6, -1))
  }

  #create(name: string): ReturnType<Snapshots['create']> {
    this.tried.push(name)
    if (!this.ready) {
      return Promise.resolve({ kind: 'refused', code: 'not-sealed', reason: 'not now' })
    }
    const seal: Change = { kind: 'volumes-sealed', snapshots: [{ volume: VOLUME, name }] }
    const sealed = must(this.configuration, seal)
    const shards = sealed.volumes.get(VOLUME)!.shards.map(shard => shard.epoch)
    this.configuration = sealed
    const result = this.#commit({
      ...{ kind: 'snapshots-created', sealed: sealed.epoch, at: this.clock.date() },
      snapshots: [{ volume: VOLUME, name, shards, source: null }],
    })
    return Promise.resolve({ kind: 'made', record: result.record })
  }

  #propose(change: Change): ProposalResult {
    const outcome = apply(this.configuration, change)
    return outcome.kind === 'refused' ? outcome : this.#commit(change)
  }

  #commit(change: Change) {
    this.configuration = must(this.configuration, change)
    this.consider()
    const record = { epoch: this.configuration.epoch, at: '', text: '', change, proposer: '' }
    return { kind: 'committed' as const, record: { ...record, votes: [] } }
  }
}

test('one an hour, and no more than are kept', async t => {
  const bench = new Bench(2)
  await bench.clock.advance(1_000)
  t.deepEqual(bench.made, ['T0000'], 'the first one at once')
  await bench.clock.advance(HOUR)
  t.deepEqual(bench.made, ['T0000', 'T0100'])
  await bench.clock.advance(HOUR)
  t.deepEqual(bench.made, ['T0100', 'T0200'], 'the oldest one has gone')
  t.equal(bench.tried.length, 3)
  await bench.stop()
  await bench.clock.advance(2 * HOUR)
  t.equal(bench.tried.length, 3, 'stopped')
  t.end()
})

test('what could not be made is tried again, now and then', async t => {
  const bench = new Bench(2)
  bench.ready = false
  await bench.clock.advance(SCHEDULE_RETRY_MS * 3 + 1_000)
  bench.consider()
  bench.consider()
  await bench.clock.advance(1_000)
  t.ok(bench.tried.length >= 3 && bench.tried.length <= 5, `${bench.tried.length} times`)
  bench.ready = true
  await bench.clock.advance(SCHEDULE_RETRY_MS)
  t.equal(bench.made.length, 1)
  await bench.stop()
  t.end()
})

test('only the leader, and whoever leads next goes on', async t => {
  const bench = new Bench(5)
  bench.leads = false
  await bench.clock.advance(2 * HOUR)
  t.deepEqual(bench.tried, [])
  bench.leads = true
  bench.consider()
  await bench.clock.advance(1_000)
  t.equal(bench.made.length, 1, 'what was missed is not made up for')
  await bench.stop()
  t.end()
})

test('what a clone began with stays, beside the number that is kept', async t => {
  const bench = new Bench(1)
  await bench.clock.advance(1_000)
  const { name } = bench.configuration.volumes.get(VOLUME)!.snapshots[0]!
  bench.configuration = must(bench.configuration, {
    ...{ kind: 'volume-cloned', volume: VOLUME, snapshot: name, name: 'c' },
  })
  await bench.clock.advance(2 * HOUR)
  t.deepEqual(bench.made, ['T0000', 'T0200'])
  t.ok(bench.configuration.epoch > epoch(1))
  t.ok(bench.configuration.volumes.has(volumeId(VOLUME + 1)))
  await bench.stop()
  t.end()
})
