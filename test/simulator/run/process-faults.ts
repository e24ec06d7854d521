// Managers and storage servers that die and start again by themselves, soon or late, often in the
// middle of the next act; that come back with an empty disk; that stand still for a while.
import { wait } from '../../../src/base/clock.js'
import type { Death } from '../simulated-cluster.js'
import type { DiskFaults } from './disk-faults.js'
import { shuffled, type FaultContext } from './fault-context.js'

const DEATHS: readonly Death[] = ['kill', 'kill', 'power', 'power', 'silent power', 'stop']

export interface ProcessFaultsOptions extends FaultContext {
  readonly disks: DiskFaults
  readonly memoryMayBeLost: () => void
}

export class ProcessFaults {
  readonly #o: ProcessFaultsOptions
  readonly #restarting = new Set<Promise<void>>()
  #over = false

  constructor(options: ProcessFaultsOptions) {
    this.#o = options
  }

  /** `back`: starts again after so many virtual milliseconds. */
  async kill(name: string, back: number): Promise<void> {
    const { cluster, mode, caution, random, disks, note } = this.#o
    if (!this.#runs(name) || !caution.mayDie(name)) return
    // A full disk has no room for what a clean stop writes: it fails, and the process is killed.
    // One that stands still cannot be told anything.
    const drawn = random.pick(DEATHS)
    const deaf = name === disks.full || cluster.isFrozen(name)
    const death = drawn === 'stop' && deaf ? 'kill' : drawn
    const manager = cluster.managerNames.includes(name)
    note(`${manager ? 'manager' : 'server'} ${death}`)
    if (mode === 'exclusive' && !manager) this.#o.memoryMayBeLost()
    if (manager) await cluster.endManager(name, death)
    else await cluster.endServer(name, death)
    // Its machine goes on, and perhaps says so; it may be started again before that is heard.
    if (death === 'kill' && !manager && random.chance(0.5)) {
      note('server told gone')
      void cluster.tellGone(name)
    }
    this.#restart(name, back)
  }

  /** A server loses its power and its disk; its identity and the number of its start stay. */
  async wipe(name: string, back: number): Promise<void> {
    const { cluster, mode, caution, disks, note } = this.#o
    if (!this.#runs(name) || !cluster.serverNames.includes(name) || !caution.mayBeWiped(name))
      return
    note('disk wiped')
    if (mode === 'exclusive') this.#o.memoryMayBeLost()
    if (name === disks.full) disks.empty()
    caution.isWiped(cluster.idOf(name))
    await cluster.endServer(name, 'silent power')
    cluster.wipe(name)
    this.#restart(name, back)
  }

  /** Any process, a client's as well. */
  freeze(name: string, duration: number): void {
    const { cluster, caution, note } = this.#o
    const id = cluster.idOf(name)
    const client = !this.#isServerOrManager(name)
    if (!client && (!cluster.isUp(name) || !caution.mayBeSlow(id))) return
    if (cluster.isFrozen(name)) return
    note(client ? 'client stands still' : 'process stands still')
    cluster.freeze(name)
    if (!client) caution.isSlow(id, duration)
    cluster.clock.after(duration, () => cluster.thaw(name))
  }

  /** All servers at once; they come back one after the other, this one first. */
  async powerCut(first: string | null): Promise<void> {
    const { cluster, caution, random, note } = this.#o
    if (!caution.mayAllDie) return
    note('power cut')
    this.#o.memoryMayBeLost()
    const up = cluster.serverNames.filter(name => cluster.isUp(name))
    await Promise.all(up.map(name => cluster.endServer(name, 'power')))
    const spacing = random.pick([0, 2, 100, 400, 1_200])
    const order = shuffled(random, cluster.serverNames)
    if (first !== null) order.unshift(...order.splice(order.indexOf(first), 1))
    order.forEach((name, i) => this.#restart(name, i * spacing))
  }

  /** Everybody runs from now on. */
  async heal(): Promise<void> {
    const { cluster } = this.#o
    this.#over = true
    for (const name of cluster.processNames) cluster.thaw(name)
    await Promise.all(this.#restarting)
    for (const name of [...cluster.managerNames, ...cluster.serverNames]) {
      if (!cluster.isUp(name)) await this.#start(name)
    }
  }

  #isServerOrManager(name: string): boolean {
    const { managerNames, serverNames } = this.#o.cluster
    return managerNames.includes(name) || serverNames.includes(name)
  }

  #runs(name: string): boolean {
    return this.#isServerOrManager(name) && this.#o.cluster.isUp(name)
  }

  #restart(name: string, delay: number): void {
    // Healing does not wait for the late ones; but what begins after it takes its time.
    const hurries = !this.#over
    const restarting = this.#restartLater(name, delay, hurries).finally(() => {
      this.#restarting.delete(restarting)
    })
    this.#restarting.add(restarting)
  }

  async #restartLater(name: string, delay: number, hurries: boolean): Promise<void> {
    const { cluster } = this.#o
    const { clock } = cluster
    const end = clock.now() + delay
    while (clock.now() < end && !(hurries && this.#over)) {
      await wait(clock, Math.min(end - clock.now(), 100))
    }
    if (!cluster.isUp(name)) await this.#start(name)
  }

  /** Without any room a server does not start: people make some. */
  async #start(name: string): Promise<void> {
    const { cluster, disks } = this.#o
    if (name === disks.full) disks.empty()
    if (cluster.managerNames.includes(name)) await cluster.startManager(name)
    else await cluster.startServer(name)
  }
}
