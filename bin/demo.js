#!/usr/bin/env node
// `npm run demo`: see src/cli/demo.ts.
const { demo } = await import('../dist/cli/demo.js')
await demo(process.argv.slice(2))
