// When a primary says that its shard is ready for a snapshot, and when it does not.
import test from 'tape'
import { epoch, shardIndex, volumeId, type Epoch } from '../../../src/base/brands.js'
import type { DataStatus, SealedShard } from '../../../src/net/messages.js'
import { Sealing } from '../../../src/storage/replica/sealing.js'

class Primary {
  quiet = true
  allocation: Epoch = epoch(3)
  readonly said: SealedShard[] = []
  readonly flushes: ((status: DataStatus) => void)[] = []
  readonly sealing = new Sealing({
    quiet: () => this.quiet,
    here: () => ({ volume: volumeId(1), shard: shardIndex(0), allocation: this.allocation }),
    makeDurable: () => new Promise(resolve => this.flushes.push(resolve)),
    sealed: shard => void this.said.push(shard),
  })

  async flushed(status: DataStatus): Promise<void> {
    this.flushes.shift()!(status)
    await Promise.resolve()
    await Promise.resolve()
  }
}

const ready = (allocation: number, seal: number): SealedShard => {
  const place = { volume: volumeId(1), shard: shardIndex(0) }
  return { ...place, allocation: epoch(allocation), seal: epoch(seal) }
}

test('ready is what is quiet, then durable, and it is said again', async t => {
  const primary = new Primary()
  primary.quiet = false
  primary.sealing.set(epoch(7))
  t.equal(primary.flushes.length, 0, 'a write is under way')
  primary.quiet = true
  primary.sealing.consider()
  primary.sealing.consider()
  t.equal(primary.flushes.length, 1, 'made durable once')
  t.deepEqual(primary.sealing.ready(), [], 'not yet')
  await primary.flushed('ok')
  t.deepEqual(primary.said, [ready(3, 7)])
  t.deepEqual(primary.sealing.ready(), [ready(3, 7)], 'for the next report')
})

test('what could not be made durable is tried again with the next report', async t => {
  const primary = new Primary()
  primary.sealing.set(epoch(7))
  await primary.flushed('disk-error')
  t.deepEqual([primary.said, primary.sealing.ready()], [[], []])
  t.equal(primary.flushes.length, 1, 'again')
  await primary.flushed('ok')
  t.deepEqual(primary.said, [ready(3, 7)])
})

test('another allocation, or another seal, begins anew; a lifted one says nothing', async t => {
  const primary = new Primary()
  primary.sealing.set(epoch(7))
  primary.allocation = epoch(8)
  primary.sealing.set(epoch(7))
  await primary.flushed('ok')
  t.deepEqual(primary.said, [], 'that was of the allocation before')
  await primary.flushed('ok')
  t.deepEqual(primary.said, [ready(8, 7)])
  primary.sealing.set(null)
  t.deepEqual([primary.sealing.sealed, primary.sealing.ready()], [false, []])
  primary.sealing.set(epoch(9))
  await primary.flushed('ok')
  t.deepEqual(primary.said, [ready(8, 7), ready(8, 9)])
})
