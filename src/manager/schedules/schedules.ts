// Snapshots by schedule, at the leader: made when their time has come, and the oldest deleted when
// there are more than are kept. One at a time, however many volumes there are.
import type { VolumeId } from '../../base/brands.js'
import type { Clock, Timer } from '../../base/clock.js'
import { isSwarmdiskError } from '../../base/errors.js'
import { SCHEDULE_RETRY_MS } from '../../base/limits.js'
import type { Log } from '../../base/log.js'
import type { Change } from '../../layout/change.js'
import type { Configuration, VolumeRecord } from '../../layout/configuration.js'
import type { ProposalResult } from '../history/configuration-history.js'
import type { ReplicatedHistory } from '../history/replicated-history.js'
import { OneAtATime } from '../one-at-a-time.js'
import type { Snapshots } from '../snapshots.js'
import { dueSnapshots, hourOf, spareSnapshots, untilNextDue } from './due.js'

export interface SchedulesOptions {
  readonly clock: Clock
  readonly log: Log
  readonly history: Pick<ReplicatedHistory, 'current' | 'leads'>
  readonly snapshots: Pick<Snapshots, 'create'>
  readonly propose: (change: Change, proposer: string) => Promise<ProposalResult>
}

const PROPOSER = 'schedule'

export class Schedules {
  readonly #o: SchedulesOptions
  readonly #work = new OneAtATime(() => this.#look())
  /** Volumes with which it did not work, and when they are looked at again. */
  readonly #later = new Map<VolumeId, number>()
  /** Volumes for which there was nothing to do, and which are as they were, in this hour. */
  #done = new WeakSet<VolumeRecord>()
  #hour = NaN
  #timer: Timer | null = null

  constructor(options: SchedulesOptions) {
    this.#o = options
  }

  /** Something has changed: perhaps a volume has another schedule, or this manager leads now. */
  consider(): void {
    if (this.#scheduled().length > 0) this.#work.ask()
    else this.#disarm()
  }

  async stop(): Promise<void> {
    this.#disarm()
    await this.#work.stop()
  }

  async #look(): Promise<void> {
    const scheduled = new Set(this.#scheduled().map(({ id }) => id))
    for (const id of [...this.#later.keys()]) if (!scheduled.has(id)) this.#later.delete(id)
    const now = this.#o.clock.date()
    for (const id of scheduled) {
      if ((this.#later.get(id) ?? 0) > this.#o.clock.now()) continue
      this.#later.delete(id)
      if (this.#isDone(id, now)) continue
      if (!(await this.#keep(id))) this.#later.set(id, this.#o.clock.now() + SCHEDULE_RETRY_MS)
    }
    this.#arm()
  }

  /** Found out once for each hour and each change of a volume: every commit leads here. */
  #isDone(id: VolumeId, now: string): boolean {
    const volume = this.#volume(id)
    if (volume === undefined) return false
    if (hourOf(now) !== this.#hour) this.#done = new WeakSet()
    this.#hour = hourOf(now)
    if (this.#done.has(volume)) return true
    if (dueSnapshots(volume, now).length + spareSnapshots(volume).length > 0) return false
    this.#done.add(volume)
    return true
  }

  /** False: try again later. */
  async #keep(id: VolumeId): Promise<boolean> {
    try {
      return (await this.#make(id)) && (await this.#deleteSpare(id))
    } catch (error) {
      if (!isSwarmdiskError(error)) throw error
      this.#o.log.warn('a schedule of snapshots is behind', { error: error.message })
      return false
    }
  }

  async #make(id: VolumeId): Promise<boolean> {
    const { clock, snapshots, log } = this.#o
    for (const name of this.#due(id, clock.date())) {
      const result = await snapshots.create([{ volume: id, name, source: null }], PROPOSER)
      if (result.kind === 'made') continue
      log.warn('a snapshot is not made by schedule yet', { name, reason: result.reason })
      return false
    }
    return true
  }

  async #deleteSpare(id: VolumeId): Promise<boolean> {
    const volume = this.#volume(id)
    for (const name of volume ? spareSnapshots(volume) : []) {
      if (this.#work.stopped) return true
      const change: Change = { kind: 'snapshot-deleted', volume: id, name }
      const result = await this.#o.propose(change, PROPOSER)
      // The origin of a clone stays until that is flattened, beside the number that is kept.
      if (result.kind === 'committed' || result.code === 'in-use') continue
      this.#o.log.warn('a snapshot stays longer than scheduled', { name, reason: result.reason })
      return false
    }
    return true
  }

  #due(id: VolumeId, now: string): readonly string[] {
    const volume = this.#volume(id)
    return volume && !this.#work.stopped ? dueSnapshots(volume, now) : []
  }

  #volume(id: VolumeId): VolumeRecord | undefined {
    return this.#leading()?.volumes.get(id)
  }

  #scheduled(): readonly VolumeRecord[] {
    const volumes = [...(this.#leading()?.volumes.values() ?? [])]
    return volumes.filter(({ schedules }) => schedules.length > 0)
  }

  #leading(): Configuration | null {
    const { history } = this.#o
    return history.leads ? history.current() : null
  }

  #arm(): void {
    this.#disarm()
    if (this.#work.stopped) return
    const { clock } = this.#o
    const retry = Math.min(...[...this.#later.values()].map(time => time - clock.now()))
    const delay = Math.max(0, Math.min(untilNextDue(clock.date()), retry))
    this.#timer = clock.after(delay, () => this.consider())
  }

  #disarm(): void {
    this.#timer?.cancel()
    this.#timer = null
  }
}
