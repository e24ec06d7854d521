// A mount with a write-back cache that ends while its writes are held.
import test from 'tape'
import { byteOffset } from '../../../src/base/brands.js'
import { BLOCK_BYTES, WRITE_BACK_RUNS_MAX } from '../../../src/base/limits.js'
import { silentLog } from '../../../src/base/log.js'
import { WriteBackDriver } from '../../../src/client/write-back/write-back-driver.js'
import { filled, ScriptedCluster } from '../scripted-cluster.js'

test('closing while writes are held gives the volume back for good', async t => {
  const cluster = new ScriptedCluster({})
  const events: string[] = []
  cluster.hold([])
  cluster.push()
  cluster.attachReply = () => {
    events.push('attach')
    cluster.hold([cluster.own])
    return { kind: 'attached', epoch: cluster.configuration.epoch }
  }
  cluster.detachReply = () => {
    events.push('detach')
    cluster.hold([])
    return { kind: 'detached', epoch: cluster.configuration.epoch }
  }
  cluster.intercept = arrival => arrival.sent.kind === 'write' // never answered
  const { clock, driver: below } = cluster
  const driver = new WriteBackDriver({ clock, log: silentLog, ioTimeout: null, below })
  const volume = driver.open('data')!
  await clock.settle('attach', volume.attach())
  for (let i = 0; i < 4 * WRITE_BACK_RUNS_MAX; i++) {
    await clock.settle('a write', volume.write(byteOffset(2 * i * BLOCK_BYTES), filled(4096, 1)))
  }
  await clock.settle('close', driver.close(), 30_000)
  await clock.advance(2_000)
  t.deepEqual(events, ['attach', 'detach'])
  t.end()
})
