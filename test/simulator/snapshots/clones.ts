// Clones of snapshots, each a volume that only this story writes: it shows what its snapshot showed
// and what was put there since.
import { byteOffset } from '../../../src/base/brands.js'
import { BLOCK_BYTES } from '../../../src/base/limits.js'
import type { OpenVolume } from '../../../src/client/volume-driver.js'
import type { AdminCommand } from '../../../src/net/admin.js'
import { content } from '../run/workload.js'
import type { SeededRandom } from '../seeded-random.js'
import type { Client } from '../simulated-cluster.js'
import type { Place } from './moment.js'
import { valueAt } from './writer.js'

/** Values of clones are none of the writer's. */
const FIRST_VALUE = 1_000_000

interface Clone {
  readonly name: string
  readonly opened: OpenVolume
  /** By block. */
  readonly values: Map<number, number>
  /** The name of its snapshot. */
  readonly origin: string
  /** The managers were asked to flatten it: it may need its origin no more. */
  flat: boolean
}

export interface ClonesHost {
  readonly random: SeededRandom
  readonly findings: string[]
  client(): Client
  ask(command: AdminCommand): Promise<boolean>
  /** False: not in time. */
  within(condition: () => boolean): Promise<boolean>
  count(what: string): void
}

export class Clones {
  readonly #host: ClonesHost
  readonly #clones = new Map<string, Clone>()
  #next = 1

  constructor(host: ClonesHost) {
    this.#host = host
  }

  needs(snapshot: string): boolean {
    return [...this.#clones.values()].some(({ origin, flat }) => origin === snapshot && !flat)
  }

  async make(
    snapshot: { readonly volume: string; readonly name: string; readonly flat: boolean },
    picture: ReadonlyMap<Place, number>,
  ): Promise<void> {
    const { volume, name: origin } = snapshot
    const name = `c${this.#next++}`
    const wish = { command: 'snapshot-clone', volume, snapshot: origin, name } as const
    if (!(await this.#host.ask(wish))) return
    const there = (): boolean => this.#host.client().driver.open(name) !== null
    if (!(await this.#host.within(there))) return
    this.#host.count('clone')
    const values = new Map<number, number>()
    for (const [place, value] of picture) {
      if (place.volume === volume) values.set(place.block, value)
    }
    const opened = this.#host.client().driver.open(name)!
    const clone = { name, opened, values, origin, flat: false }
    this.#clones.set(name, clone)
    if (snapshot.flat) await this.#flatten(clone)
    await this.#look(clone)
  }

  /** One of them is written, flattened or deleted. */
  async change(): Promise<void> {
    const { random } = this.#host
    const names = [...this.#clones.keys()]
    if (names.length === 0) return
    const clone = this.#clones.get(random.pick(names))!
    const { name } = clone
    const chance = random.below(10)
    if (chance < 3) await this.#flatten(clone)
    else if (chance < 4) {
      // Refused while it is attached, as it is once it was written.
      await this.#host.ask({ command: 'volume-delete', name })
      this.#clones.delete(name)
      return
    } else await this.#write(clone)
    await this.#look(clone)
  }

  /** Whatever the answer is, and if there is none, it may be flat by now. */
  async #flatten(clone: Clone): Promise<void> {
    clone.flat = true
    const { name } = clone
    if (await this.#host.ask({ command: 'volume-flatten', name })) this.#host.count('flatten')
  }

  async #write({ opened, values }: Clone): Promise<void> {
    for (const block of values.keys()) {
      if (this.#host.random.chance(0.5)) continue
      const value = FIRST_VALUE + this.#next++
      await opened.write(byteOffset(block * BLOCK_BYTES), content(value))
      values.set(block, value)
    }
  }

  async lookAtAll(): Promise<void> {
    for (const clone of this.#clones.values()) await this.#look(clone)
  }

  async #look({ name, opened, values }: Clone): Promise<void> {
    for (const [block, value] of values) {
      const found = await valueAt(opened, block)
      if (found === value) continue
      this.#host.findings.push(`I6: ${name} shows ${found} at ${block}, not ${value}`)
    }
  }

  /** Another client has taken the place of the one that had them open. */
  reopen(): void {
    for (const [name, clone] of this.#clones) {
      const opened = this.#host.client().driver.open(name)
      if (opened) this.#clones.set(name, { ...clone, opened })
      else this.#clones.delete(name)
    }
  }
}
