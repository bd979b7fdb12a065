//! One store into another.

use rusqlite::{OptionalExtension, Transaction};

/// Takes the attached store in; gives what contradicts, and then nothing is to be kept.
pub(super) fn merge(transaction: &Transaction<'_>) -> rusqlite::Result<Option<String>> {
    let first = |query: &str| {
        transaction
            .query_row(query, [], |row| Ok((row.get::<_, String>(0)?, row.get::<_, Option<String>>(1)?)))
            .optional()
    };
    let same = [
        ("network", "setting"),
        ("network", "class_offset"),
        ("network", "sha256"),
        ("network", "input_shape"),
        ("network", "preprocess"),
        ("image_set", "setting"),
    ];
    for (table, column) in same {
        let query = format!(
            "SELECT o.name, CAST(o.{column} AS TEXT) FROM other.{table} o JOIN main.{table} m ON m.name = o.name
             WHERE m.{column} <> o.{column} LIMIT 1"
        );
        if let Some((name, value)) = first(&query)? {
            return Ok(Some(format!("{column} of {name} is {} there", value.unwrap_or_default())));
        }
    }
    let query = "SELECT oi.name, oi.sha256 FROM other.image oi JOIN other.image_set os ON os.id = oi.image_set
         JOIN main.image_set ms ON ms.name = os.name JOIN main.image mi ON mi.image_set = ms.id AND mi.name = oi.name
         WHERE mi.sha256 <> oi.sha256 LIMIT 1";
    if let Some((name, _)) = first(query)? {
        return Ok(Some(format!("the bytes of {name} are others there")));
    }
    transaction.execute_batch(
        "INSERT INTO main.network (name, origin, setting, family, class_offset)
         SELECT name, origin, setting, family, class_offset FROM other.network WHERE true
         ON CONFLICT (name) DO NOTHING;
         UPDATE main.network SET (sha256, parameters, bytes, input_shape, output_shape, preprocess, action) =
             (SELECT o.sha256, o.parameters, o.bytes, o.input_shape, o.output_shape, o.preprocess, o.action
              FROM other.network o WHERE o.name = network.name)
         WHERE sha256 IS NULL AND name IN (SELECT name FROM other.network WHERE sha256 IS NOT NULL);
         INSERT OR IGNORE INTO main.image_set (name, role, setting) SELECT name, role, setting FROM other.image_set;
         CREATE TEMP TABLE of_network AS
             SELECT o.id AS theirs, m.id AS ours FROM other.network o JOIN main.network m ON m.name = o.name;
         CREATE TEMP TABLE of_set AS
             SELECT o.id AS theirs, m.id AS ours FROM other.image_set o JOIN main.image_set m ON m.name = o.name;
         INSERT OR IGNORE INTO main.image (image_set, name, label)
             SELECT s.ours, o.name, o.label FROM other.image o JOIN of_set s ON s.theirs = o.image_set ORDER BY o.id;
         CREATE TEMP TABLE of_image AS
             SELECT o.id AS theirs, m.id AS ours, o.sha256 FROM other.image o
             JOIN of_set s ON s.theirs = o.image_set JOIN main.image m ON m.image_set = s.ours AND m.name = o.name;
         CREATE UNIQUE INDEX temp.of_image_ours ON of_image (ours);
         UPDATE main.image SET sha256 = (SELECT sha256 FROM of_image WHERE ours = id)
         WHERE sha256 IS NULL AND id IN (SELECT ours FROM of_image);
         INSERT OR IGNORE INTO main.network_column
             SELECT n.ours, c.name, c.number, c.words FROM other.network_column c JOIN of_network n ON n.theirs = c.network;
         CREATE TEMP TABLE of_run AS SELECT id AS theirs, (SELECT COALESCE(MAX(id), 0) FROM main.run) + id AS ours
             FROM other.run;
         INSERT INTO main.run SELECT r.ours, o.began, o.aliascope, o.command, o.device, o.threads, o.shard
             FROM other.run o JOIN of_run r ON r.theirs = o.id;
         CREATE TEMP TABLE fresh AS
             SELECT o.network AS network, o.image AS image FROM other.measured o
             JOIN of_network n ON n.theirs = o.network JOIN of_image i ON i.theirs = o.image
             WHERE NOT EXISTS (SELECT 1 FROM main.measured m WHERE m.network = n.ours AND m.image = i.ours);
         CREATE UNIQUE INDEX temp.fresh_one ON fresh (network, image);",
    )?;
    let join = "JOIN of_network n ON n.theirs = o.network JOIN of_image i ON i.theirs = o.image";
    let mut contradiction = None;
    for (what, table, same, differs) in [
        (
            "the LEE",
            "lee",
            "m.output = o.output AND m.derivative = o.derivative AND m.generator = o.generator",
            "m.lee <> o.lee",
        ),
        (
            "what a layer makes of the error",
            "layer",
            "m.generator = o.generator AND m.place = o.place",
            "m.name <> o.name OR m.contribution <> o.contribution OR m.signed <> o.signed",
        ),
    ] {
        let query = format!(
            "SELECT (SELECT name FROM main.network WHERE id = m.network), (SELECT name FROM main.image WHERE id = m.image)
             FROM other.{table} o {join}
             JOIN main.{table} m ON m.network = n.ours AND m.image = i.ours AND {same} WHERE {differs} LIMIT 1"
        );
        let found = first(&query)?.map(|(network, image)| {
            let image = image.unwrap_or_default();
            format!("{what} of {network} on {image} is another there than in what was merged before")
        });
        contradiction = contradiction.or(found);
    }
    if contradiction.is_none() {
        let fresh = format!("{join} JOIN fresh f ON f.network = o.network AND f.image = o.image");
        transaction.execute_batch(&format!(
            "INSERT INTO main.lee SELECT n.ours, i.ours, output, derivative, generator, lee, mean_abs, input_energy
                 FROM other.lee o {fresh};
             INSERT INTO main.attribution
                 SELECT n.ours, i.ours, generator, output, derivative, lee, rounding, residual
                 FROM other.attribution o {fresh};
             INSERT INTO main.layer SELECT n.ours, i.ours, generator, place, o.name, class, contribution, signed
                 FROM other.layer o {fresh};
             INSERT INTO main.metric SELECT n.ours, i.ours, metric, value FROM other.metric o {fresh};
             INSERT INTO main.prediction SELECT n.ours, i.ours, class, is_right FROM other.prediction o {fresh};
             INSERT INTO main.measured SELECT n.ours, i.ours, r.ours, milliseconds FROM other.measured o {fresh}
                 JOIN of_run r ON r.theirs = o.run;
             INSERT OR IGNORE INTO main.failure SELECT network, image_set, image, problem FROM other.failure;
             DELETE FROM main.failure WHERE image IS NOT NULL AND EXISTS (
                 SELECT 1 FROM main.measured m JOIN main.image i ON i.id = m.image JOIN main.image_set s ON s.id = i.image_set
                 JOIN main.network n ON n.id = m.network
                 WHERE i.name = failure.image AND s.name = failure.image_set AND n.name = failure.network);"
        ))?;
    }
    transaction.execute_batch(
        "DROP TABLE of_network; DROP TABLE of_set; DROP TABLE of_image; DROP TABLE of_run; DROP TABLE fresh;",
    )?;
    Ok(contradiction)
}
