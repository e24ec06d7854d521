// Writes 4 KiB somewhere in a file and makes it durable, again and again: one process and one file.
// The file is laid out first, so that no write allocates.
import { closeSync, fdatasyncSync, fsyncSync, openSync, writeSync } from 'node:fs'
import { BLOCK_BYTES } from '../../src/base/limits.js'
import { systemRandom } from '../../src/base/random.js'
import { answerParent, parentGone, tellParent } from './parent.js'

const BLOCKS = 16 * 1024

const [path = ''] = process.argv.slice(2)
const file = openSync(path, 'w+')
const block = systemRandom.bytes(BLOCK_BYTES)
for (let i = 0; i < BLOCKS; i++) writeSync(file, block, 0, BLOCK_BYTES, i * BLOCK_BYTES)
fsyncSync(file)
answerParent(question => {
  const { seconds } = question as { readonly seconds: number }
  const began = performance.now()
  let [writes, now] = [0, began]
  for (; now < began + seconds * 1000; now = performance.now()) {
    writeSync(file, block, 0, BLOCK_BYTES, systemRandom.below(BLOCKS) * BLOCK_BYTES)
    fdatasyncSync(file)
    writes++
  }
  return Promise.resolve(writes / ((now - began) / 1000))
})
tellParent('ready')
await parentGone
closeSync(file)
