// Whole clusters in virtual time whose client has a write-back cache: a verified load while servers
// lose their memory and clients die; what a client that was fenced had in its cache.
import test from 'tape'
import { byteOffset } from '../../src/base/brands.js'
import { wait } from '../../src/base/clock.js'
import { isSwarmdiskError } from '../../src/base/errors.js'
import { BLOCK_BYTES, BLOCKS_PER_EXTENT, WRITE_BACK_AGE_MS } from '../../src/base/limits.js'
import type { OpenVolume } from '../../src/client/volume-driver.js'
import { WriteBackDriver } from '../../src/client/write-back/write-back-driver.js'
import { differences } from './check/holdings.js'
import { Histories } from './check/histories.js'
import { VolumeModel } from './check/volume-model.js'
import { content, Values, Workload, type Subject } from './run/workload.js'
import { SimulatedCluster, type Client, type Death } from './simulated-cluster.js'

const EXTENTS = 4
const SIZE = EXTENTS * BLOCKS_PER_EXTENT * BLOCK_BYTES
const PLACES = Array.from({ length: EXTENTS }, (_, extent) => extent * BLOCKS_PER_EXTENT)
const SEEDS = 12
const CLIENTS = 5
const LINES = 4
const CALLS = 40
const DEATHS: readonly Death[] = ['kill', 'power', 'silent power', 'stop']

function cached(cluster: SimulatedCluster, client: Client): WriteBackDriver {
  const log = cluster.trace.log(client.name)
  return new WriteBackDriver({ clock: client.clock, log, ioTimeout: null, below: client.driver })
}

class Story {
  readonly #cluster: SimulatedCluster
  readonly #model = new VolumeModel()
  readonly #subject: Subject
  readonly findings: string[] = []
  operations = 0

  constructor(cluster: SimulatedCluster) {
    this.#cluster = cluster
    this.#subject = {
      ...{ name: 'data', histories: new Histories(cluster.clock), model: this.#model },
      ...{ values: new Values(), places: PLACES, inherited: false },
    }
  }

  /** One client after the other; every one but the last dies in the middle of its work. */
  async tell(): Promise<void> {
    const setup = await this.#cluster.startClient()
    await this.#cluster.createVolume(setup, { name: 'data', size: SIZE, replicas: 3 })
    await setup.stop()
    for (let i = 1; i < CLIENTS; i++) await this.#client('dies')
    await this.#client('ends')
    await this.#cluster.until('all is in-sync', () => this.#cluster.healthy, 300_000)
    this.findings.push(
      ...this.#subject.histories.findings(),
      ...(await differences(this.#cluster)),
      ...this.#cluster.findings,
    )
  }

  async #client(end: 'dies' | 'ends'): Promise<void> {
    const client = await this.#cluster.startClient()
    const driver = cached(this.#cluster, client)
    const volume = driver.open('data')!
    await volume.attach({ takeover: true })
    const workload = this.#workload(client, volume)
    await workload.readAll()
    workload.burst('all', LINES, CALLS)
    await this.#serversDie()
    if (end === 'dies') {
      await wait(this.#cluster.clock, this.#cluster.stream(client.name).below(600))
      workload.abandon()
      client.die()
      // What it read of its own cache and did not flush may be gone, and more.
      this.#subject.inherited = true
      this.#model.writerDied()
      this.#model.memoryMayBeLost()
    } else {
      await this.#cluster.until('the load has ended', () => workload.idle, 300_000)
      await workload.readAll()
      await volume.release()
      await driver.close()
      await client.stop()
    }
    this.operations += workload.operations
    this.findings.push(...workload.findings)
  }

  #workload(client: Client, volume: OpenVolume): Workload {
    const { clock } = client
    const random = this.#cluster.stream(`work of ${client.name}`)
    const { name: who } = client
    return new Workload({
      ...{ clock, random, who, volume, subject: this.#subject, flushed: () => undefined },
    })
  }

  /** One, or all of them at once, and then what nobody has flushed is gone. */
  async #serversDie(): Promise<void> {
    const cluster = this.#cluster
    const random = cluster.stream(`faults at ${cluster.clock.now()}`)
    await wait(cluster.clock, random.below(200))
    const all = random.chance(0.4)
    const names = all ? cluster.serverNames : [random.pick(cluster.serverNames)]
    const death = all ? 'power' : random.pick(DEATHS)
    this.#model.memoryMayBeLost()
    await Promise.all(names.map(name => cluster.endServer(name, death)))
    await wait(cluster.clock, random.below(500))
    await Promise.all(names.map(name => cluster.startServer(name)))
  }
}

for (let seed = 1; seed <= SEEDS; seed++) {
  test(`clients with a cache, and servers that die, seed ${seed}`, async t => {
    const cluster = await SimulatedCluster.start({ seed, servers: 3 })
    const story = new Story(cluster)
    await cluster.run('the story', story.tell(), 3_600_000)
    t.deepEqual(story.findings, [])
    t.ok(story.operations > CALLS, `${story.operations} calls`)
    t.end()
  })
}

test('what was not sent when another client took over never is', async t => {
  const cluster = await SimulatedCluster.start({ seed: 100, servers: 3 })
  const story = async (): Promise<void> => {
    const one = await cluster.startClient()
    await cluster.createVolume(one, { name: 'data', size: SIZE, replicas: 3 })
    const first = cached(cluster, one).open('data')!
    await first.attach()
    await first.write(byteOffset(0), content(1))
    await first.flush()
    const two = await cluster.startClient()
    const second = two.driver.open('data')!
    const taken = second.attach({ takeover: true })
    await first.write(byteOffset(0), content(2))
    t.deepEqual(await blockOf(first), content(2), 'its writer sees it')
    await taken
    await second.write(byteOffset(BLOCK_BYTES), content(3))
    await wait(cluster.clock, 4 * WRITE_BACK_AGE_MS)
    t.deepEqual(await blockOf(second), content(1), 'nobody else ever does')
    const said = await first.flush().then(
      () => 'nothing',
      (error: unknown) => (isSwarmdiskError(error) ? error.code : String(error)),
    )
    t.equal(said, 'fenced', 'and its next FLUSH says so')
  }
  await cluster.run('the story', story())
  t.end()
})

async function blockOf(volume: OpenVolume): Promise<Uint8Array> {
  const into = new Uint8Array(BLOCK_BYTES)
  await volume.read(byteOffset(0), into)
  return into
}
