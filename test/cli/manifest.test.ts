// How the binary starts: compiled, it knows its commands from oclif.manifest.json and loads one of
// them; from source it finds them by itself.
import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { Config } from '@oclif/core'
import test from 'tape'

const root = fileURLToPath(new URL('../..', import.meta.url))
const run = promisify(execFile)

test('the manifest has all commands, with their flags', async t => {
  const built = await Config.load({ root })
  const plugin = built.plugins.get('swarmdisk')
  t.ok(plugin?.hasManifest, 'it is there and of this version')
  const loaded = await Config.load({ root, ignoreManifest: true })
  t.deepEqual(built.commandIDs, loaded.commandIDs)
  for (const id of loaded.commandIDs) {
    const flags = Object.keys(loaded.findCommand(id, { must: true }).flags)
    t.deepEqual(Object.keys(built.findCommand(id, { must: true }).flags), flags, id)
  }
})

test('from source', async t => {
  const { stdout } = await run(`${root}/bin/dev.js`, ['volume', '--help'])
  t.match(stdout, /volume create/)
})
