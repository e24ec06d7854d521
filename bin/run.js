#!/usr/bin/env node
// Production entry: runs the compiled commands. A source tree that was never built is built once.
import { execFileSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))

if (!existsSync(`${root}/dist/commands`)) {
  const compiler = `${root}/node_modules/typescript/bin/tsc`
  if (!existsSync(compiler)) {
    process.stderr.write('swarmdisk is not built: run bin/setup in its folder once.\n')
    process.exit(1)
  }
  execFileSync(process.execPath, [compiler, '-p', `${root}/tsconfig.build.json`], {
    stdio: ['ignore', 2, 2],
  })
}

const { main } = await import('../dist/cli/main.js')
await main(import.meta.url)
