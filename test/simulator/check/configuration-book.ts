// I3: every configuration that any process takes up is noted here. Two of the same epoch are equal,
// and what one process takes up only grows. I5: what a change gives up.
import type { Epoch } from '../../../src/base/brands.js'
import type { Configuration } from '../../../src/layout/configuration.js'
import { equal } from '../../../src/layout/equal.js'
import { givenUpTooEarly } from './given-up.js'

export class ConfigurationBook {
  readonly #byEpoch = new Map<Epoch, Configuration>()
  readonly #reached = new Map<string, Epoch>()
  #newest: Configuration | null = null
  readonly findings: string[] = []

  /** The newest that anybody has taken up. */
  get newest(): Configuration | null {
    return this.#newest
  }

  at(epoch: Epoch): Configuration | undefined {
    return this.#byEpoch.get(epoch)
  }

  /** `who`: one start of a process; the next start may begin where it was before. */
  note(who: string, configuration: Configuration): void {
    const { epoch } = configuration
    const before = this.#reached.get(who)
    if (before !== undefined && epoch < before) {
      this.findings.push(`I3: ${who} goes from epoch ${before} to ${epoch}`)
    }
    this.#reached.set(who, epoch)
    const known = this.#byEpoch.get(epoch)
    if (!known) this.#enter(configuration)
    else if (!equal(known, configuration)) {
      this.findings.push(`I3: ${who} has another epoch ${epoch} than somebody before`)
    }
    if (!this.#newest || epoch > this.#newest.epoch) this.#newest = configuration
  }

  #enter(configuration: Configuration): void {
    const { epoch } = configuration
    this.#byEpoch.set(epoch, configuration)
    const before = this.#byEpoch.get((epoch - 1) as Epoch)
    const after = this.#byEpoch.get((epoch + 1) as Epoch)
    if (before) this.findings.push(...givenUpTooEarly(before, configuration))
    if (after) this.findings.push(...givenUpTooEarly(configuration, after))
  }
}
