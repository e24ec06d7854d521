// A file system on a volume while single processes fail at random, one after the other, each when
// everything is healthy again; meanwhile a storage server joins, and another one is emptied and
// removed. Nobody who uses the volume sees an error, and in the end all copies are equal.
// SWARMDISK_CHAOS_SECONDS says for how long (npm run chaos: five minutes, on a larger volume, and
// no stall may be longer than the aim), SWARMDISK_CHAOS_SEED what is drawn.
import test, { type Test } from 'tape'
import { LEASE_MS } from '../../src/base/limits.js'
import type { ServerDrainResult, VolumeDetail } from '../../src/net/admin.js'
import { differingReplicas } from '../helpers/compare-replicas.js'
import { SeededRandom } from '../simulator/seeded-random.js'
import { TestCluster } from './cluster.js'
import { Faults, type Fault } from './faults.js'
import { FileSystem } from './file-system.js'
import { BlockProbe, FioVerify } from './image-load.js'
import { TestNetwork } from './test-network.js'
import { delay, eventually } from './tools.js'

const MiB = 2 ** 20
const GIVEN = process.env['SWARMDISK_CHAOS_SECONDS']
const DURATION_MS = Number(GIVEN ?? 45) * 1_000
const SEED = Number(process.env['SWARMDISK_CHAOS_SEED'] ?? process.pid)
/** In MiB; the file of fio in such a way that it takes a minute, with faults two. */
const SIZES =
  GIVEN === undefined
    ? { volume: 512, files: 384, filled: 32, fio: 6 }
    : { volume: 2048, files: 1792, filled: 512, fio: 16 }
/** Twice the lease and a second. Other work on the machine decides nothing in the short form. */
const AIM_MS = 2 * LEASE_MS + 1_000
const MANAGERS = ['m1', 'm2', 'm3']
const SERVERS = ['a', 'b', 'c', 'd', 'e']
const JOINS = 'f'
const JOIN_AT = 1 / 4
const DRAIN_AT = 1 / 2
const PAUSE_MAX_MS = 1_000

interface Scene {
  readonly t: Test
  readonly cluster: TestCluster
  readonly random: SeededRandom
  readonly faults: Faults
  readonly probe: BlockProbe
}

test('single processes fail at random under a file system', async t => {
  t.comment(`seed ${SEED} (SWARMDISK_CHAOS_SEED), ${DURATION_MS / 1_000} s`)
  const random = new SeededRandom(SEED)
  const network = await TestNetwork.create(t, [...MANAGERS, ...SERVERS, JOINS, 'mount'])
  const cluster = await TestCluster.start(t, { managers: 3, servers: 5, hosts: network })
  const size = `${SIZES.volume}M`
  await cluster.json(['volume', 'create', 'data', '--size', size, '--replicas', '3'])
  await cluster.startMount()
  const files = await FileSystem.make(cluster, {
    ...{ mebibytes: SIZES.files, filled: SIZES.filled },
  })
  // Blocks are taken while it writes and given back after each pass.
  const more = ['--fallocate=none', '--unlink=1']
  const fio = new FioVerify(cluster, {
    ...{ image: files.path('fio'), offset: 0, size: SIZES.fio * MiB, more },
  })
  const probe = new BlockProbe(cluster, {
    image: cluster.image('data'),
    ...{ offset: SIZES.files * MiB, size: (SIZES.volume - SIZES.files) * MiB },
  })
  await eventually('I/O is under way', () => Promise.resolve(probe.operations > 20))
  const faults = new Faults({ cluster, network, random })
  const stalled = await chaos({ t, cluster, random, faults, probe })

  t.equal(await fio.stop(), null, `fio wrote and verified ${fio.passes} times without an error`)
  const { failure, operations } = await probe.stop()
  t.equal(failure, null, `${operations} operations beside it without an error`)
  const longest = Math.max(stalled, probe.lap())
  t.comment(`the longest stall was ${longest} ms (aim: ${AIM_MS} ms)`)
  t.comment(`the longest operation of fio took ${fio.longestMs} ms`)
  if (GIVEN !== undefined) t.ok(longest < AIM_MS, 'it was shorter than two leases and a second')
  await looksRight(t, cluster, files)
})

/** The longest stall. */
async function chaos(scene: Scene): Promise<number> {
  const { t, cluster, random, faults, probe } = scene
  const start = performance.now()
  const over = (share: number): boolean => performance.now() - start > share * DURATION_MS
  const leaves = random.pick(SERVERS)
  let members = SERVERS
  let draining = false
  let stalled = probe.lap()
  for (let count = 0; count < Faults.kinds || !over(1) || members.includes(leaves); count++) {
    stalled = Math.max(stalled, await oneFault(scene, faults.next(members)))
    await delay(random.below(PAUSE_MAX_MS))
    if (over(JOIN_AT) && !members.includes(JOINS)) {
      await cluster.startServer(JOINS)
      members = [...members, JOINS]
      t.pass(`${JOINS} has joined`)
    } else if (over(DRAIN_AT) && !draining) {
      const { drain } = (await cluster.json(['server', 'drain', leaves])) as ServerDrainResult
      draining = true
      t.pass(`${leaves} is being emptied: ${drain?.shardsLeft} shards`)
    } else if (
      draining &&
      members.includes(leaves) &&
      (over(1) || (await isEmpty(scene, leaves)))
    ) {
      await cluster.json(['server', 'drain', leaves, '--wait'])
      await cluster.json(['server', 'remove', leaves])
      await cluster.kill(leaves, 'SIGTERM')
      members = members.filter(name => name !== leaves)
      t.pass(`${leaves} was emptied and removed`)
      await untilHealthy(scene, JOINS)
    }
  }
  return stalled
}

async function oneFault(scene: Scene, fault: Fault): Promise<number> {
  const { t, faults, probe } = scene
  const { kind, victim, milliseconds } = fault
  const start = performance.now()
  await faults.strike(fault)
  const mended = performance.now()
  await untilHealthy(scene, victim)
  const stall = probe.lap()
  const [away, healing] = [mended - start, performance.now() - mended].map(Math.round)
  const times = `(${away} ms in all), healthy ${healing} ms later, I/O stalled for ${stall} ms`
  t.pass(`${victim} was ${kind} for ${milliseconds} ms ${times}`)
  return stall
}

/** The victim has found the others again, and all copies count. */
async function untilHealthy({ t, cluster }: Scene, victim: string): Promise<void> {
  let last = ''
  const looked = eventually(`all is well after what happened to ${victim}`, async () => {
    try {
      // It asks the managers itself: what they say may be from before it was away.
      const { health, problems } = await cluster.status(victim)
      last = problems.join('; ')
      return health === 'ok'
    } catch (error) {
      last = String(error)
      return false
    }
  })
  await looked.catch((error: unknown) => {
    t.comment(`${last}\n${cluster.log(victim)}`)
    throw error
  })
}

async function isEmpty({ cluster }: Scene, name: string): Promise<boolean> {
  const { servers } = await cluster.status()
  return servers.find(server => server.name === name)?.drain?.shardsLeft === 0
}

async function looksRight(t: Test, cluster: TestCluster, files: FileSystem): Promise<void> {
  t.equal(files.errors, 0, 'the kernel has met no error in the file system')
  await cluster.json(['detach', 'data'])
  const { code, stdout, stderr } = await files.check()
  t.equal(code, 0, `fsck is clean ${code === 0 ? '' : stdout + stderr}`)
  t.ok(await files.isIntact(), 'what was in it from the beginning is still there')
  const volume = (await cluster.json(['volume', 'show', 'data'])) as VolumeDetail
  const copies = volume.placement.map(({ replicas }) => replicas.map(({ state }) => state))
  t.ok(
    copies.every(states => states.join() === 'in-sync,in-sync,in-sync'),
    `all ${copies.length} shards have three copies`,
  )
  await cluster.json(['unmount', cluster.mountPoint])
  await cluster.stopAll()
  t.deepEqual(await differingReplicas(cluster, volume), [], 'and all of them are equal')
}
