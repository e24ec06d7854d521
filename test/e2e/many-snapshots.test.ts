// Many snapshots of a volume, with something written between any two of them, and deleted in random
// order while storage servers are killed and come back, one at a time. What is left of them shows
// all along what it showed before, and in the end the volume takes the space that its head needs.
// SWARMDISK_MANY_SNAPSHOTS says how many, of a larger volume (npm run soak:snapshots: 100 of
// 10 GiB), SWARMDISK_MANY_SNAPSHOTS_SEED what is drawn.
import { join } from 'node:path'
import test, { type Test } from 'tape'
import { BLOCK_BYTES, LEASE_MS } from '../../src/base/limits.js'
import type { SnapshotListResult, VolumeDetail } from '../../src/net/admin.js'
import { differingReplicas, mergedLayer } from '../helpers/compare-replicas.js'
import { streamOf } from '../simulator/seeded-random.js'
import { TestCluster } from './cluster.js'
import { NumberedExtents } from './numbered-extents.js'
import { delay, eventually, mustRun, within } from './tools.js'

const MiB = 2 ** 20
const GIVEN = process.env['SWARMDISK_MANY_SNAPSHOTS']
const SNAPSHOTS = Number(GIVEN ?? 10)
const SEED = Number(process.env['SWARMDISK_MANY_SNAPSHOTS_SEED'] ?? process.pid)
const FORM =
  GIVEN === undefined
    ? { size: 1024 * MiB, samples: 32, lookEvery: 4 }
    : { size: 10 * 1024 * MiB, samples: 8, lookEvery: 10 }
const WRITTEN = 8 * MiB
const REPLICAS = 3
/** Of the space that the head needs. */
const TOLERANCE = 0.02
/** All merges of a server together are slow on purpose: 25 MiB a second. */
const MERGED_LIMIT_MS = 600_000
/** Layer by layer, with all that merges and others do beside it. */
const CAUGHT_UP_LIMIT_MS = 300_000
/** From one that is noticed by nobody to one that lasts longer than the lease. */
const AWAY_MS = { least: 100, most: LEASE_MS + 1_000 }

interface Scene {
  readonly t: Test
  readonly cluster: TestCluster
  /** What was written to the volume. */
  readonly extents: NumberedExtents
  /** How many extents were written before the snapshot was taken. */
  readonly taken: Map<string, number>
  /** How many times a server was killed and all was well again. */
  returned: number
}

test('snapshots are deleted in random order while servers are killed', async t => {
  t.comment(`seed ${SEED} (SWARMDISK_MANY_SNAPSHOTS_SEED), ${SNAPSHOTS} snapshots`)
  const cluster = await TestCluster.start(t)
  const words = ['--size', String(FORM.size), '--replicas', String(REPLICAS)]
  await cluster.json(['volume', 'create', 'data', ...words])
  await cluster.startMount()
  const random = streamOf(SEED, 'extents')
  const extents = new NumberedExtents(cluster.image('data'), FORM.size, random)
  const scene: Scene = { t, cluster, extents, taken: new Map(), returned: 0 }
  await extents.write(WRITTEN)
  for (let n = 1; n <= SNAPSHOTS; n++) {
    await cluster.json(['snapshot', 'create', `data@s${n}`])
    scene.taken.set(`s${n}`, extents.newest)
    await extents.write(WRITTEN)
  }
  await looksRight(scene)
  const { usage, shards } = await detail(cluster)
  const full = ofNeeded('all copies take', usage.used, neededSpace(scene, shards.total))
  t.comment(`with all snapshots ${full}; not told by ${usage.silent.join(' ') || 'nobody'}`)

  let over = false
  // Both end, also when one of them fails.
  const [killed, deleted] = await Promise.allSettled([
    killServers(scene, () => over),
    deleteAll(scene).finally(() => (over = true)),
  ])
  for (const one of [killed, deleted]) if (one.status === 'rejected') throw one.reason
  const needed = neededSpace(scene, shards.total)
  await spaceIsBack(scene, needed)
  const differing = await extents.differingAnywhere(cluster.image('data'), extents.newest)
  t.deepEqual(differing, [], 'the head is what it was, all of it')
  await equalAndSmall(scene, needed)
})

/** One at a time, each when all copies count again; everybody at least once. */
async function killServers(scene: Scene, over: () => boolean): Promise<void> {
  const { t, cluster } = scene
  const random = streamOf(SEED, 'kills')
  for (; !over() || scene.returned < cluster.servers.length; scene.returned++) {
    const victim = cluster.servers[scene.returned] ?? random.pick(cluster.servers)
    await cluster.kill(victim)
    await delay(AWAY_MS.least + random.below(AWAY_MS.most - AWAY_MS.least))
    await cluster.startAgain(victim)
    const isWell = async (): Promise<boolean> => (await cluster.status(victim)).health === 'ok'
    await eventually(`all is well after ${victim} was killed`, isWell, CAUGHT_UP_LIMIT_MS)
  }
  t.pass(`${scene.returned} times a server was killed and came back`)
}

async function deleteAll(scene: Scene): Promise<void> {
  const { t, cluster, extents, taken } = scene
  const random = streamOf(SEED, 'order')
  for (let n = 1; taken.size > 0; n++) {
    const name = random.pick([...taken.keys()])
    await cluster.json(['snapshot', 'delete', `data@${name}`])
    taken.delete(name)
    if (n % FORM.lookEvery !== 0) continue
    await looksRight(scene)
    // What is written meanwhile has to get past the merges.
    await within('what is written is there', extents.write(WRITTEN), CAUGHT_UP_LIMIT_MS)
    // With every deletion comparing begins anew: who came back catches up in the pauses between.
    const { returned } = scene
    const next = (): Promise<boolean> => Promise.resolve(scene.returned > returned)
    await eventually('a server is back', next, CAUGHT_UP_LIMIT_MS)
  }
  const { snapshots } = (await cluster.json(['snapshot', 'list', 'data'])) as SnapshotListResult
  t.deepEqual(snapshots, [], 'all are deleted')
}

/** Samples of what is left of the snapshots, and of the head. */
async function looksRight({ t, cluster, extents, taken }: Scene): Promise<void> {
  const images = [...taken].map(([name, newest]) => {
    return { path: join(cluster.mountPoint, '.snapshots', `data@${name}.img`), newest }
  })
  images.push({ path: cluster.image('data'), newest: extents.newest })
  const found: string[] = []
  for (const { path, newest } of images) {
    const lines = await extents.differing(path, newest, FORM.samples)
    found.push(...lines.map(line => `${path}: ${line}`))
  }
  t.deepEqual(found, [], `${taken.size} snapshots and the head are what they were`)
}

async function spaceIsBack({ t, cluster }: Scene, needed: number): Promise<void> {
  const start = performance.now()
  let used = 0
  const back = async (): Promise<boolean> => {
    const { usage } = await detail(cluster)
    used = usage.used
    return usage.silent.length === 0 && used <= needed * (1 + TOLERANCE)
  }
  await eventually('the space is back', back, MERGED_LIMIT_MS).catch((error: unknown) => {
    throw new Error(`${String(error)}: ${inMiB(used)}, and needed are ${inMiB(needed)}`)
  })
  const seconds = Math.round((performance.now() - start) / 1_000)
  t.pass(`${seconds} s later the space is back`)
  t.ok(Math.abs(used / needed - 1) <= TOLERANCE, ofNeeded('all copies take', used, needed))
}

/** Once they are stopped: what they hold, and the space that their folders take. */
async function equalAndSmall({ t, cluster }: Scene, needed: number): Promise<void> {
  const volume = await detail(cluster)
  await cluster.json(['unmount', cluster.mountPoint])
  await cluster.stopAll()
  for (const name of cluster.servers) {
    const words = ['--summarize', '--block-size=1', cluster.dataOf(name)]
    const used = parseInt(await mustRun('du', words), 10)
    const each = needed / REPLICAS
    t.ok(
      Math.abs(used / each - 1) <= TOLERANCE,
      ofNeeded(`the folder of ${name} takes`, used, each),
    )
  }
  const differing = await differingReplicas(cluster, volume, [mergedLayer(SNAPSHOTS + 1)])
  t.deepEqual(differing, [], 'all copies are equal')
}

/**
 * Of all copies together: the blocks with content, once each; the index pages that say something,
 * a block each; and the header of each shard's file, another one.
 */
function neededSpace({ extents }: Scene, shards: number): number {
  const { blocks, pages } = extents.space()
  return REPLICAS * (blocks + pages + shards) * BLOCK_BYTES
}

async function detail(cluster: TestCluster): Promise<VolumeDetail> {
  return (await cluster.json(['volume', 'show', 'data'])) as VolumeDetail
}

function ofNeeded(what: string, used: number, needed: number): string {
  const percent = ((used / needed) * 100).toFixed(2)
  return `${what} ${inMiB(used)}, ${percent} % of ${inMiB(needed)}`
}

function inMiB(bytes: number): string {
  return `${(bytes / MiB).toFixed(1)} MiB`
}
