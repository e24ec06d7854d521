import test from 'tape'
import { byteCount, byteOffset } from '../../src/base/brands.js'
import { discardByWriting } from '../../src/client/discard.js'
import { MemoryDriver } from '../helpers/memory-driver.js'

const MiB = 1024 * 1024

test('what is discarded reads as zeroes, and nothing beside it changes', async t => {
  const driver = new MemoryDriver({ a: 16 * MiB })
  const volume = driver.open('a')
  if (!volume) throw new Error('made above')
  const model = Buffer.alloc(16 * MiB)
  for (const [offset, length] of [
    [MiB - 100, 5 * MiB],
    [9 * MiB, MiB],
  ] as const) {
    model.fill('x', offset, offset + length)
    for (let at = offset; at < offset + length; at += MiB) {
      await volume.write(byteOffset(at), model.subarray(at, Math.min(at + MiB, offset + length)))
    }
  }
  const { writes } = driver.counts()
  const [from, length] = [2 * MiB + 5, 13 * MiB]
  await discardByWriting(volume, byteOffset(from), byteCount(length))
  model.fill(0, from, from + length)
  const content = Buffer.alloc(16 * MiB, 1)
  await volume.read(byteOffset(0), content)
  t.ok(content.equals(model))
  t.equal(driver.counts().writes - writes, 5, 'only what held something was written')
  t.ok(driver.counts().largestRead === 16 * MiB && driver.counts().largestWrite === MiB)
  await discardByWriting(volume, byteOffset(0), byteCount(0))
  t.equal(driver.counts().writes - writes, 5, 'nothing is nothing')
})

test('the first failure ends a discard', async t => {
  const driver = new MemoryDriver({ a: 64 * MiB })
  const volume = driver.open('a')
  if (!volume) throw new Error('made above')
  driver.fail('disk-error')
  const error: unknown = await discardByWriting(volume, byteOffset(0), byteCount(64 * MiB)).catch(
    (caught: unknown) => caught,
  )
  t.equal((error as { code?: string }).code, 'disk-error')
  t.ok(driver.counts().reads <= 4, 'no more is asked for')
})
