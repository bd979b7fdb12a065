//! scripts/export.py refuses what it can before PyTorch is imported or anything is downloaded, in one sentence.

use std::path::Path;
use std::process::Command;

fn refusal(arguments: &[&str]) -> String {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/export.py");
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("nets.py"), "raise SystemExit('the file was run')\n").unwrap();
    std::fs::write(folder.path().join("there.onnx"), "").unwrap();
    std::fs::write(folder.path().join("code.pt"), "").unwrap();
    let run = Command::new("python3").arg(script).args(arguments).current_dir(folder.path()).output().unwrap();
    assert_eq!(run.status.code(), Some(1), "{arguments:?}: {}", String::from_utf8_lossy(&run.stderr));
    let said = String::from_utf8(run.stderr).unwrap();
    assert_eq!(said.lines().count(), 1, "{said}");
    said
}

#[test]
fn what_cannot_be_exported_is_said_at_once() {
    let cases: [(&[&str], &str); 16] = [
        (&["timm:resnet18", "--seed", "0", "there.onnx"], "--force"),
        (&["resnet18", "--seed", "0", "new.onnx"], "neither timm:NAME nor torchvision:NAME nor FILE.py:FUNCTION"),
        (&["gone.py:make", "new.onnx"], "gone.py is not a file"),
        (&["nets.py:make", "--pretrained", "new.onnx"], "--checkpoint FILE, or nothing"),
        (&["nets.py:make", "--classes", "3", "new.onnx"], "let make make the network"),
        (&["timm:resnet18", "new.onnx"], "--pretrained, --checkpoint FILE or --seed N"),
        (&["timm:resnet18", "--checkpoint", "gone.pth", "new.onnx"], "gone.pth is not a file"),
        (&["timm:", "--seed", "0", "new.onnx"], "neither"),
        (&["timm:resnet18", "--seed", "0"], "name the ONNX file"),
        (&["timm:resnet18", "--seed", "0", "--trust-code", "new.onnx"], "TorchScript modules"),
        (&["code.pt", "--input-shape", "1,3,8,8"], "pass --trust-code if you trust whoever made it"),
        (&["gone.pt", "--trust-code", "--input-shape", "1,3,8,8"], "gone.pt is not a file"),
        (&["code.pt", "--trust-code"], "--input-shape"),
        (&["code.pt", "--trust-code", "--input-shape", "2,3,8,8"], "--input-shape"),
        (&["code.pt", "--trust-code", "--input-shape", "1,3,8,8", "--seed", "0"], "--seed is not for TorchScript"),
        (&["code.pt", "--trust-code", "--input-shape", "1,3,8,8", "there.onnx"], "--force"),
    ];
    for (arguments, words) in cases {
        let said = refusal(arguments);
        assert!(said.contains(words), "{said}");
    }
}
