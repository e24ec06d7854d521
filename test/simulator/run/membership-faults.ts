// Storage servers that join, and operators who have servers emptied and think better of it. Their
// commands are given and not waited for: managers may be away, and refuse what does not fit.
import { wait } from '../../../src/base/clock.js'
import { heldBy } from '../../../src/layout/movement/newcomers.js'
import { isDraining } from '../../../src/layout/replicas.js'
import type { AdminCommand } from '../../../src/net/admin.js'
import type { Client } from '../simulated-cluster.js'
import type { FaultContext } from './fault-context.js'

const SERVERS_MAX = 4
/** A command is done by then, or its client is dead. */
const COMMAND_MS = 15_000
/** Copies that cannot move within this are to stay. */
const MOVED_MS = 60_000
const ATTEMPTS = 5

export class MembershipFaults {
  readonly #o: FaultContext
  readonly #clients: () => readonly Client[]
  #underWay = 0

  constructor(context: FaultContext, clients: () => readonly Client[]) {
    this.#o = context
    this.#clients = clients
  }

  async join(): Promise<void> {
    const { cluster, caution, note } = this.#o
    const { serverNames } = cluster
    if (serverNames.length >= SERVERS_MAX || !caution.mayMove) return
    note('server joins')
    await cluster.startServer(String.fromCharCode(97 + serverNames.length))
  }

  drain(name: string): void {
    const { cluster, caution, random, note } = this.#o
    if (!cluster.serverNames.includes(name) || !caution.mayMove) return
    note('drain')
    this.#order({ command: 'server-drain', name, force: random.chance(0.3) })
  }

  undrain(): void {
    const { random, note } = this.#o
    const draining = this.#draining
    if (draining.length === 0) return
    const name = random.pick(draining)
    note('undrain')
    this.#order({ command: 'server-undrain', name })
  }

  /** Some are emptied to the end, others are to stay; then every copy is where it is to be. */
  async finish(client: Client): Promise<void> {
    const { cluster, random } = this.#o
    await cluster.within(COMMAND_MS, () => this.#underWay === 0)
    if (random.chance(0.5)) await this.#undrainAll(client)
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      if (await cluster.within(MOVED_MS, () => this.#done)) return
      await this.#undrainAll(client)
    }
    const left = this.#draining.map(name => `${name} holds ${this.#held(name)}`)
    throw new Error(`I7: copies do not get where they are to be; being emptied: ${left.join()}`)
  }

  /** Nothing is missing, nothing is too much. */
  get #done(): boolean {
    const { cluster } = this.#o
    const empty = this.#draining.every(name => this.#held(name) === 0)
    return cluster.healthy && empty && cluster.shards().every(({ stale }) => stale.length === 0)
  }

  get #draining(): readonly string[] {
    const { cluster } = this.#o
    const { configuration } = cluster
    const { servers } = configuration
    const ids = [...servers.keys()].filter(id => isDraining(configuration, id))
    return ids.map(id => cluster.nameOf(id))
  }

  #held(name: string): number {
    const { cluster } = this.#o
    return heldBy(cluster.configuration, cluster.idOf(name))
  }

  async #undrainAll(client: Client): Promise<void> {
    for (const name of this.#draining) {
      await this.#ask(client, { command: 'server-undrain', name })
    }
  }

  #order(command: AdminCommand): void {
    const { cluster } = this.#o
    const client = this.#clients().find(({ name }) => !cluster.isFrozen(name))
    if (!client) return
    this.#underWay++
    const ended = Promise.race([this.#ask(client, command), wait(cluster.clock, COMMAND_MS)])
    void ended.finally(() => this.#underWay--)
  }

  /** What is refused is none of our business, nor that the manager died with the question. */
  async #ask(client: Client, command: AdminCommand): Promise<void> {
    const { cluster } = this.#o
    try {
      const { ok } = await cluster.admin(client, command)
      cluster.trace.say(client.name, `${command.command} ${ok ? 'done' : 'refused'}`)
    } catch (error) {
      if (!(error instanceof Error)) throw error
    }
  }
}
