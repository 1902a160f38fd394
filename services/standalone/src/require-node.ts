const MAJOR_MIN = 24;

const major = Number(process.versions.node.split('.')[0]);
if (major < MAJOR_MIN) {
  process.stderr.write(
    `Patchtrail needs Node ${String(MAJOR_MIN)} or newer; this is Node ${process.versions.node}.\n` +
      'Run it through npm (npm start, npm run demo, npx …): the checkout brings its own Node.\n',
  );
  process.exit(1);
}
