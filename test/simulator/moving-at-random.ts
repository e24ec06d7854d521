// A verified load while servers are emptied, join, are removed, die and come back as chance has it;
// then everything is healed, and all copies must be where they are to be, and equal.
//
//   npx tsx test/simulator/moving-at-random.ts FROM COUNT
import { pathToFileURL } from 'node:url'
import { wait } from '../../src/base/clock.js'
import { isDraining } from '../../src/layout/replicas.js'
import type { AdminCommand } from '../../src/net/admin.js'
import { MovingStory } from './moving-story.js'
import type { SeededRandom } from './seeded-random.js'
import { SimulatedCluster, type Death } from './simulated-cluster.js'

const STEPS = 25
const SERVERS_MAX = 7
const DOWN_MAX = 2
const PAUSE_MS = 3_000
const REBUILD_AFTER = 8_000
const LIMIT_MS = 3_600_000

const DEATHS: readonly Death[] = ['stop', 'kill', 'power', 'silent power']

class Chances {
  readonly #moving: MovingStory
  readonly #cluster: SimulatedCluster
  readonly #random: SeededRandom
  readonly counts = new Map<string, number>()

  constructor(moving: MovingStory) {
    this.#moving = moving
    this.#cluster = moving.cluster
    this.#random = moving.cluster.stream('chances')
  }

  async step(): Promise<void> {
    const random = this.#random
    const acts: readonly (readonly [string, () => Promise<boolean>])[] = [
      ['drain', () => this.#drain()],
      ['drain', () => this.#drain()],
      ['undrain', () => this.#undrain()],
      ['remove', () => this.#remove()],
      ['join', () => this.#join()],
      ['death', () => this.#death()],
      ['death', () => this.#death()],
      ['return', () => this.#return()],
      ['return', () => this.#return()],
      ['cut', () => this.#cut()],
      ['manager', () => this.#manager()],
    ]
    const [name, act] = random.pick(acts)
    if (await act()) this.counts.set(name, (this.counts.get(name) ?? 0) + 1)
    // Often at once, so that things meet.
    await wait(this.#cluster.clock, random.chance(0.4) ? random.below(60) : random.below(PAUSE_MS))
  }

  /** Everybody is there, and there is a place for every copy. */
  async heal(): Promise<void> {
    const cluster = this.#cluster
    cluster.swarm.heal()
    for (const name of cluster.managerNames) {
      if (!cluster.isUp(name)) await cluster.startManager(name)
    }
    for (const name of this.#members) if (!cluster.isUp(name)) await cluster.startServer(name)
    await wait(cluster.clock, 10_000)
    while (this.#staying.length < 3) {
      const [one] = this.#draining
      if (one === undefined) throw new Error('a server was removed that copies needed')
      await this.#ask(this.#undraining(one), true)
    }
    const done = (): boolean =>
      cluster.healthy && this.#draining.every(name => this.#moving.held(name) === 0)
    await cluster.until('all copies are where they are to be', done, 300_000)
  }

  get #members(): readonly string[] {
    const { servers } = this.#cluster.configuration
    return [...servers.keys()].map(id => this.#cluster.nameOf(id))
  }

  get #draining(): readonly string[] {
    const { configuration } = this.#cluster
    return this.#members.filter(name => isDraining(configuration, this.#cluster.idOf(name)))
  }

  get #staying(): readonly string[] {
    return this.#members.filter(name => !this.#draining.includes(name))
  }

  get #down(): readonly string[] {
    return this.#members.filter(name => !this.#cluster.isUp(name))
  }

  #undraining(name: string): AdminCommand {
    return { command: 'server-undrain', name }
  }

  /** What is refused is none of our business; somebody who leads is waited for. */
  async #ask(command: AdminCommand, must = false): Promise<boolean> {
    const { client } = this.#moving
    for (;;) {
      const linked = this.#cluster.managersUp.some(name =>
        client.peers.find(this.#cluster.idOf(name)),
      )
      if (!linked && !must) return false
      try {
        const { ok } = await this.#cluster.admin(client, command)
        if (ok || !must) return ok
      } catch (error) {
        // The manager died with the question.
        if (!(error instanceof Error)) throw error
        if (!must) return false
      }
      await wait(this.#cluster.clock, 500)
    }
  }

  #drain(): Promise<boolean> {
    const name = this.#random.pick(this.#members)
    return this.#ask({ command: 'server-drain', name, force: this.#random.chance(0.2) })
  }

  async #undrain(): Promise<boolean> {
    const draining = this.#draining
    return draining.length > 0 && this.#ask(this.#undraining(this.#random.pick(draining)))
  }

  async #remove(): Promise<boolean> {
    const empty = this.#draining.filter(name => this.#moving.held(name) === 0)
    const some = empty.length > 0 && this.#random.chance(0.8) ? empty : this.#members
    const name = this.#random.pick(some)
    return this.#ask({ command: 'server-remove', name, force: false })
  }

  async #join(): Promise<boolean> {
    const { serverNames } = this.#cluster
    const free = serverNames.filter(name => !this.#members.includes(name))
    const name =
      serverNames.length < SERVERS_MAX
        ? String.fromCharCode(97 + serverNames.length)
        : free[this.#random.below(Math.max(1, free.length))]
    if (name === undefined) return false
    if (this.#cluster.isUp(name)) await this.#cluster.endServer(name, 'stop')
    await this.#cluster.startServer(name)
    return true
  }

  async #death(): Promise<boolean> {
    const up = this.#members.filter(name => this.#cluster.isServing(name))
    if (this.#down.length >= DOWN_MAX || up.length === 0) return false
    await this.#cluster.endServer(this.#random.pick(up), this.#random.pick(DEATHS))
    return true
  }

  async #return(): Promise<boolean> {
    const down = this.#down
    if (down.length === 0) return false
    await this.#cluster.startServer(this.#random.pick(down))
    return true
  }

  async #cut(): Promise<boolean> {
    const { swarm } = this.#cluster
    const [a, b] = [this.#random.pick(this.#members), this.#random.pick(this.#members)]
    if (a === b) return false
    swarm.partition(this.#cluster.idOf(a), this.#cluster.idOf(b))
    await wait(this.#cluster.clock, this.#random.below(PAUSE_MS))
    swarm.heal()
    return true
  }

  async #manager(): Promise<boolean> {
    const name = this.#random.pick(this.#cluster.managersUp)
    await this.#cluster.endManager(name, this.#random.pick(DEATHS))
    await wait(this.#cluster.clock, this.#random.below(PAUSE_MS))
    await this.#cluster.startManager(name)
    return true
  }
}

export interface Outcome {
  readonly findings: readonly string[]
  readonly counts: ReadonlyMap<string, number>
}

export async function moveAtRandom(seed: number): Promise<Outcome> {
  const [servers, managers] = [3 + (seed % 3), seed % 2 === 0 ? 3 : 1]
  const cluster = await SimulatedCluster.start({
    ...{ seed, servers, managers, rebuildAfter: REBUILD_AFTER },
  })
  const whole = async (): Promise<Outcome> => {
    const moving = await MovingStory.begin(cluster)
    const chances = new Chances(moving)
    for (let step = 0; step < STEPS; step++) await chances.step()
    await chances.heal()
    return { findings: await moving.finish(), counts: chances.counts }
  }
  return cluster.run(`seed ${seed}`, whole(), LIMIT_MS)
}

async function main(from: number, count: number): Promise<void> {
  let failed = 0
  for (let seed = from; seed < from + count; seed++) {
    const findings = await moveAtRandom(seed).then(
      outcome => outcome.findings,
      (error: unknown) => [String(error)],
    )
    if (findings.length === 0) continue
    failed++
    console.log(`seed ${seed}:\n  ${findings.slice(0, 20).join('\n  ')}`)
  }
  console.log(`${count} seeds from ${from}: ${failed} failed`)
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  await main(Number(process.argv[2] ?? 1), Number(process.argv[3] ?? 20))
}
