// Compiles src to dist, and writes down which commands there are and what flags they take: with
// oclif.manifest.json a command loads itself only, without it all of them.
import { execFileSync } from 'node:child_process'
import { existsSync, renameSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const compiler = `${root}/node_modules/typescript/bin/tsc`
const manifest = `${root}/oclif.manifest.json`

/** Says what is missing and ends the process where it cannot. */
export async function build() {
  if (!existsSync(compiler)) {
    process.stderr.write('swarmdisk is not built: run bin/setup in its folder once.\n')
    process.exit(1)
  }
  execFileSync(process.execPath, [compiler, '-p', `${root}/tsconfig.build.json`], {
    stdio: ['ignore', 2, 2],
  })
  await writeManifest()
}

async function writeManifest() {
  const { Plugin } = await import('@oclif/core')
  const plugin = new Plugin({
    root,
    ignoreManifest: true,
    errorOnManifestCreate: true,
    // Defaults of flags that come from the environment are of this machine.
    respectNoCacheDefault: true,
  })
  await plugin.load()
  writeFileSync(`${manifest}.new`, JSON.stringify(plugin.manifest))
  renameSync(`${manifest}.new`, manifest)
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await build()
