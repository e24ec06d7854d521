// Measures the ceilings of a plan, before any cluster runs.
import { measureDisk } from '../ceilings/disk.js'
import { withEmptyMount } from '../ceilings/fuse.js'
import { measureCopies, measureLink, type LinkRate } from '../ceilings/link.js'
import { Fio, type Timing } from '../shared/fio.js'
import type { Session } from '../shared/session.js'
import { showWhole } from '../shared/statistics.js'
import { copiesCeiling, diskCeiling, fuseCeiling, LINK } from './limits.js'
import type { Group } from './plan.js'

export interface MeasuredCeiling {
  readonly name: string
  readonly perSecond: number
  /** Millions of bytes a second. */
  readonly megabytes: number
  /** Null where processes do nothing but this, one after the other. */
  readonly p50Microseconds: number | null
}

/** As those of the jobs are. */
const LOADS = [
  { link: LINK.one, blockSize: '4k', bytes: 4096, depth: 1 },
  { link: LINK.many, blockSize: '4k', bytes: 4096, depth: 16 },
  { link: LINK.large, blockSize: '1m', bytes: 2 ** 20, depth: 8 },
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
    const copies = new Set(groups.map(({ replicas }) => replicas))
    for (const replicas of [...copies].sort()) await this.#copies(replicas)
    const counts = new Set([...PROCESSES, ...copies])
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
    this.#addRates(await measureLink(LOADS, this.#options), load => load.link)
  }

  async #copies(replicas: number): Promise<void> {
    const rates = await measureCopies(LOADS, replicas, this.#options)
    this.#addRates(rates, load => copiesCeiling(load, replicas))
  }

  async #disk(processes: number): Promise<void> {
    const perSecond = await measureDisk(processes, this.#options)
    const megabytes = (perSecond * 4096) / 1e6
    this.#add({ name: diskCeiling(processes), perSecond, megabytes, p50Microseconds: null })
  }

  get #options(): Timing & { readonly signal: AbortSignal } {
    return { ...this.#timing, signal: this.#session.signal }
  }

  #addRates(rates: readonly LinkRate[], nameOf: (load: (typeof LOADS)[number]) => string): void {
    for (const [i, { perSecond, p50Microseconds }] of rates.entries()) {
      const load = LOADS[i]!
      const megabytes = (perSecond * load.bytes) / 1e6
      this.#add({ name: nameOf(load), perSecond, megabytes, p50Microseconds })
    }
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
