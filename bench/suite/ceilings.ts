// Measures the ceilings of a plan, before any cluster runs.
import { measureDisk } from '../ceilings/disk.js'
import { withEmptyMount } from '../ceilings/fuse.js'
import { measureLink } from '../ceilings/link.js'
import { Fio, type Timing } from '../shared/fio.js'
import type { Session } from '../shared/session.js'
import { showWhole } from '../shared/statistics.js'
import { diskCeiling, fuseCeiling, LINK } from './limits.js'
import type { Group } from './plan.js'

export interface MeasuredCeiling {
  readonly name: string
  readonly perSecond: number
  /** Millions of bytes a second. */
  readonly megabytes: number
  /** Null where processes do nothing but this, one after the other. */
  readonly p50Microseconds: number | null
}

const LINK_LOADS = [
  { name: LINK.one, bytes: 4096, depth: 1 },
  { name: LINK.many, bytes: 4096, depth: 16 },
  { name: LINK.large, bytes: 2 ** 20, depth: 8 },
] as const
/** A disk alone, and with the files of three servers: measured whatever else is. */
const PROCESSES = [1, 3]

export class CeilingRun {
  readonly #session: Session
  readonly #timing: Timing
  readonly #measured: MeasuredCeiling[] = []

  constructor(session: Session, timing: Timing) {
    this.#session = session
    this.#timing = timing
  }

  async measureAll(groups: readonly Group[]): Promise<readonly MeasuredCeiling[]> {
    for (const group of emptyMounts(groups)) await this.#fuse(group)
    await this.#link()
    const counts = new Set([...PROCESSES, ...groups.map(({ replicas }) => replicas)])
    for (const processes of [...counts].sort()) await this.#disk(processes)
    return this.#measured
  }

  async #fuse(group: Group): Promise<void> {
    const { signal } = this.#session
    const options = { transport: group.mount.transport, on: group.on, signal }
    await withEmptyMount(options, async target => {
      const fio = new Fio(this.#session)
      for (const job of group.jobs) {
        const { iops, megabytes, p50Microseconds } = await fio.median(target, job, this.#timing)
        this.#add({ name: fuseCeiling(group, job), perSecond: iops, megabytes, p50Microseconds })
      }
    })
  }

  async #link(): Promise<void> {
    const options = { ...this.#timing, signal: this.#session.signal }
    const rates = await measureLink(LINK_LOADS, options)
    for (const [i, { perSecond, p50Microseconds }] of rates.entries()) {
      const { name, bytes } = LINK_LOADS[i]!
      this.#add({ name, perSecond, megabytes: (perSecond * bytes) / 1e6, p50Microseconds })
    }
  }

  async #disk(processes: number): Promise<void> {
    const options = { ...this.#timing, signal: this.#session.signal }
    const perSecond = await measureDisk(processes, options)
    const megabytes = (perSecond * 4096) / 1e6
    this.#add({ name: diskCeiling(processes), perSecond, megabytes, p50Microseconds: null })
  }

  #add(ceiling: MeasuredCeiling): void {
    this.#measured.push(ceiling)
    this.#session.say(`${ceiling.name}: ${showWhole(ceiling.perSecond)}/s`)
  }
}

/** One for each transport and kind of target, with all jobs that any group has there. */
function emptyMounts(groups: readonly Group[]): readonly Group[] {
  const found = new Map<string, Group>()
  for (const group of groups) {
    const key = `${group.mount.transport} ${group.on}`
    const before = found.get(key)
    const jobs = [...new Set([...(before?.jobs ?? []), ...group.jobs])]
    found.set(key, { ...(before ?? group), jobs })
  }
  return [...found.values()]
}
