// Managers die and come back under I/O: fio sees no error, an operator's command sees a pause, and
// in the end there is one history. Without a majority nothing is decided, and I/O goes on.
// SWARMDISK_SOAK_SECONDS says for how long managers are killed (npm run soak: two minutes).
import test, { type Test } from 'tape'
import { EXIT_CODES } from '../../src/cli/exit-codes.js'
import { COMMAND_DEADLINE_MS, LEASE_MARGIN_MS, LEASE_MS } from '../../src/base/limits.js'
import { SeededRandom } from '../simulator/seeded-random.js'
import { TestCluster } from './cluster.js'
import { agreed, countOf } from './history.js'
import { BlockProbe, FioVerify } from './image-load.js'
import { delay, eventually, type Outcome } from './tools.js'

const MiB = 2 ** 20
const SOAK_MS = Number(process.env['SWARMDISK_SOAK_SECONDS'] ?? 15) * 1_000
/** A process of ours starts, on a busy machine, within this. */
const COMMAND_SLACK_MS = 15_000

function create(cluster: TestCluster, name: string): Promise<Outcome> {
  const words = ['volume', 'create', name, '--size', '64M', '--data', cluster.dataOf('a')]
  return cluster.run(words)
}

/** It was done; or it says that nobody knows, and to look before repeating it. */
function doneOrUndecided(outcome: Outcome): boolean {
  return outcome.code === 0 || outcome.code === EXIT_CODES.undecided
}

test('managers are killed under I/O: no error, nothing lost, one history', async t => {
  const cluster = await TestCluster.start(t, { managers: 3, servers: 4 })
  await cluster.json(['volume', 'create', 'data', '--size', '128M', '--replicas', '3'])
  await cluster.startMount()
  const image = cluster.image('data')
  const fio = new FioVerify(cluster, { image, offset: 0, size: 6 * MiB })
  const probe = new BlockProbe(cluster, { image, offset: 64 * MiB, size: 64 * MiB })
  await leaderDies(t, cluster)
  await leaderDiesDuringProposals(t, cluster)
  await minoritiesDie(t, cluster)
  t.equal(await fio.stop(), null, 'fio wrote and verified without an error')
  t.comment(`${fio.passes} passes of fio`)
  const { failure, operations, longestStallMs } = await probe.stop()
  t.equal(failure, null, 'and so did the probe')
  t.comment(`${operations} operations, the longest stall ${longestStallMs} ms`)
  const epochs = await agreed(t, cluster)
  t.comment(`${countOf(epochs, 'server-down')} of ${epochs.length} epochs are server-down`)
  await eventually('health is ok', async () => (await cluster.status()).health === 'ok')
  const { managers } = await cluster.status()
  t.equal(managers.filter(manager => manager.leader).length, 1, 'there is one leader')
  t.ok(
    managers.every(manager => manager.reachable),
    'all managers are reachable',
  )
})

async function leaderDies(t: Test, cluster: TestCluster): Promise<void> {
  const leader = await cluster.leader()
  await cluster.kill(leader)
  const start = performance.now()
  const outcome = await create(cluster, 'after')
  t.ok(doneOrUndecided(outcome), `a command right after its death: ${outcome.stderr}`)
  t.comment(`it took ${Math.round(performance.now() - start)} ms`)
  t.notEqual(await cluster.leader(), leader, 'another one leads')
  await cluster.startManager(leader)
}

async function leaderDiesDuringProposals(t: Test, cluster: TestCluster): Promise<void> {
  const made: string[] = []
  let stop = false
  const proposals = (async () => {
    for (let i = 1; !stop; i++) {
      const outcome = await create(cluster, `v${i}`)
      t.ok(doneOrUndecided(outcome), `volume create v${i}: ${outcome.code} ${outcome.stderr}`)
      if (outcome.code === 0) made.push(`v${i}`)
    }
  })()
  for (let kills = 0; kills < 2; kills++) {
    const before = made.length
    await eventually('a proposal passes', () => Promise.resolve(made.length > before))
    const leader = await cluster.leader()
    await cluster.kill(leader)
    await cluster.startManager(leader)
  }
  stop = true
  await proposals
  const { volumes } = await cluster.status()
  const names = new Set(volumes.map(volume => volume.name))
  t.ok(made.length >= 2, `${made.length} volumes were made`)
  t.deepEqual(
    made.filter(name => !names.has(name)),
    [],
    'none of them is missing',
  )
}

/** One of three is a minority: any of them, every second time the leader. */
async function minoritiesDie(t: Test, cluster: TestCluster): Promise<void> {
  const seed = Number(process.env['SWARMDISK_SEED'] ?? process.pid)
  t.comment(`seed ${seed} (SWARMDISK_SEED), ${SOAK_MS / 1_000} s`)
  const random = new SeededRandom(seed)
  const end = performance.now() + SOAK_MS
  let deaths = 0
  while (performance.now() < end) {
    const one = cluster.managers[random.below(3)] ?? ''
    const victim = random.below(2) === 0 ? await cluster.leader() : one
    await cluster.kill(victim)
    await delay(random.below(2_000))
    await cluster.startManager(victim)
    await delay(random.below(1_000))
    deaths++
  }
  t.ok(deaths > 0, `${deaths} times a manager died`)
}

/** When it began to lead, as it says itself; 0 if it does not run, or did not. */
function leadsSince(cluster: TestCluster, name: string): number {
  const lines = cluster.log(name).split('\n')
  const line = lines.findLast(text => text.includes('leads the managers'))
  return line === undefined ? 0 : Date.parse((JSON.parse(line) as { readonly time: string }).time)
}

test('a leader that is stopped hands over before it ends', async t => {
  const environment = { SWARMDISK_LOG: 'info' }
  const cluster = await TestCluster.start(t, { managers: 3, servers: 1, environment })
  let handed = 0
  for (let round = 0; round < 3; round++) {
    const leader = await cluster.leader()
    const asked = Date.now()
    await cluster.kill(leader, 'SIGTERM')
    const ended = Date.now()
    let since = 0
    await eventually('another one leads', () => {
      since = Math.max(...cluster.managers.map(name => leadsSince(cluster, name)))
      return Promise.resolve(since >= asked)
    })
    if (since <= ended) handed++
    await cluster.startManager(leader)
  }
  // It does not wait for long, and the others may be too busy to take over by then.
  t.ok(handed > 0, `${handed} of 3 times no election was waited for`)
})

test('two of three managers are gone: nothing is decided, I/O goes on', async t => {
  const cluster = await TestCluster.start(t, { managers: 3, servers: 3 })
  await cluster.json(['volume', 'create', 'data', '--size', '128M', '--replicas', '3'])
  await cluster.startMount()
  const place = { image: cluster.image('data'), offset: 0, size: 128 * MiB }
  const probe = new BlockProbe(cluster, place)
  await eventually('I/O is under way', () => Promise.resolve(probe.operations > 0))
  const leader = await cluster.leader()
  const gone = [leader, ...cluster.managers.filter(name => name !== leader).slice(0, 1)]
  await Promise.all(gone.map(name => cluster.kill(name)))
  probe.restart()
  const start = performance.now()
  const refused = await cluster.run(['volume', 'create', 'late', '--size', '64M'])
  const took = performance.now() - start
  t.equal(refused.code, EXIT_CODES.unreachable, `the exit code says why (${refused.stderr})`)
  t.equal(refused.stderr.trim().split('\n').length, 1, `one sentence: ${refused.stderr.trim()}`)
  t.match(refused.stderr, /manager/, 'about the managers')
  t.ok(took < COMMAND_DEADLINE_MS + COMMAND_SLACK_MS, `within its deadline: ${Math.round(took)} ms`)
  t.ok(took > LEASE_MS + LEASE_MARGIN_MS, 'all leases that the leader gave have run out')
  const before = probe.operations
  await eventually('I/O goes on', () => Promise.resolve(probe.operations > before + 20), 20_000)
  t.comment(`the longest stall was ${probe.result.longestStallMs} ms`)
  await Promise.all(gone.map(name => cluster.startManager(name)))
  const made = await cluster.run(['volume', 'create', 'later', '--size', '64M'])
  t.equal(made.code, 0, `with the managers back, commands work by themselves ${made.stderr}`)
  const { failure, operations } = await probe.stop()
  t.equal(failure, null, `${operations} operations without an error`)
  const epochs = await agreed(t, cluster)
  t.notOk(
    epochs.some(record => /\blate\b/.test(record.change)),
    'what was refused was not done',
  )
  t.equal(countOf(epochs, 'server-down'), 0, 'no storage server was declared down for it')
})
