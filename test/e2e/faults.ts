// Faults of single processes of a cluster on a test network, as chance has it: which, whose, and
// for how long is drawn from a seed; each fault is over when strike() returns. All kinds are drawn
// equally often, and half of the times are longer than a lease.
import { LEASE_MARGIN_MS, LEASE_MS } from '../../src/base/limits.js'
import type { SeededRandom } from '../simulator/seeded-random.js'
import type { TestCluster } from './cluster.js'
import type { TestNetwork } from './test-network.js'
import { delay } from './tools.js'

const KINDS = ['killed', 'stopped', 'standing still', 'cut off'] as const
const SHORTEST_MS = 200
const LONGEST_MS = 2 * (LEASE_MS + LEASE_MARGIN_MS)
/** A manager is one of these many times the victim: what it does is tested elsewhere, too. */
const MANAGER_SHARE = 1 / 5

export interface Fault {
  readonly kind: (typeof KINDS)[number]
  readonly victim: string
  readonly milliseconds: number
}

export interface FaultsOptions {
  readonly cluster: TestCluster
  readonly network: TestNetwork
  readonly random: SeededRandom
}

export class Faults {
  static readonly kinds = KINDS.length
  readonly #cluster: TestCluster
  readonly #network: TestNetwork
  readonly #random: SeededRandom
  #deck: Fault['kind'][] = []

  constructor({ cluster, network, random }: FaultsOptions) {
    this.#cluster = cluster
    this.#network = network
    this.#random = random
  }

  /** The same number of draws each time, whoever is a member by then. */
  next(servers: readonly string[]): Fault {
    if (this.#deck.length === 0) this.#deck = [...KINDS]
    const [kind = 'killed'] = this.#deck.splice(this.#random.below(this.#deck.length), 1)
    const among = this.#random.chance(MANAGER_SHARE) ? this.#cluster.managers : servers
    const victim = this.#random.pick(among)
    const milliseconds = SHORTEST_MS + this.#random.below(LONGEST_MS - SHORTEST_MS)
    return { kind, victim, milliseconds }
  }

  async strike({ kind, victim, milliseconds }: Fault): Promise<void> {
    switch (kind) {
      case 'killed':
        return this.#away(victim, { signal: 'SIGKILL', milliseconds })
      case 'stopped':
        return this.#away(victim, { signal: 'SIGTERM', milliseconds })
      case 'standing still':
        return this.#still(victim, milliseconds)
      case 'cut off':
        return this.#cutOff(victim, milliseconds)
    }
  }

  async #away(
    victim: string,
    { signal, milliseconds }: { readonly signal: NodeJS.Signals; readonly milliseconds: number },
  ): Promise<void> {
    await this.#cluster.kill(victim, signal)
    await delay(milliseconds)
    await this.#cluster.startAgain(victim)
  }

  /** No undo for a test that fails: the teardown kills with a signal that those take, too. */
  async #still(victim: string, milliseconds: number): Promise<void> {
    const pid = this.#cluster.pid(victim)
    process.kill(pid, 'SIGSTOP')
    await delay(milliseconds)
    process.kill(pid, 'SIGCONT')
  }

  async #cutOff(victim: string, milliseconds: number): Promise<void> {
    const others = this.#network.hosts.filter(host => host !== victim)
    await this.#network.cut([victim], others)
    await delay(milliseconds)
    await this.#network.heal()
  }
}
