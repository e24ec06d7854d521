// The entry of the binary, compiled or from source: hands over to oclif, which finds the command in
// oclif.manifest.json and loads only that one.
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { setFlagsFromString } from 'node:v8'
import { Config, flush, run } from '@oclif/core'
import { BUFFER_SLAB_BYTES, HEAP_GROWING_PERCENT, INTERRUPT_BUDGET_BYTES } from '../base/limits.js'
import { reportFailure } from './report-failure.js'

export async function main(entry: string): Promise<never> {
  Buffer.poolSize = BUFFER_SLAB_BYTES
  setFlagsFromString(`--heap-growing-percent=${HEAP_GROWING_PERCENT}`)
  setFlagsFromString(`--interrupt-budget=${INTERRUPT_BUDGET_BYTES}`)
  // Our clocks do not keep a process alive, so a command that waits for one needs something else.
  setInterval(() => undefined, 2 ** 30)
  try {
    await run(process.argv.slice(2), await load(entry))
    await flush()
  } catch (error) {
    reportFailure(error)
  }
  process.exit()
}

/** From source, the commands are the TypeScript files themselves, and no manifest knows them. */
async function load(entry: string): Promise<Config> {
  const root = fileURLToPath(new URL('..', entry))
  const options = { root }
  if (!entry.endsWith('/bin/dev.js')) return Config.load(options)
  const pjson = JSON.parse(readFileSync(`${root}/package.json`, 'utf8')) as {
    oclif: { commands: string }
  }
  pjson.oclif.commands = './src/commands'
  return Config.load({ ...options, pjson: pjson as never, ignoreManifest: true })
}
